package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestPackAndUnpack(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write(t, filepath.Join(from, "a", "one"), strings.Repeat("one", 5000))
	write(t, filepath.Join(from, "empty"), "")
	var packed bytes.Buffer
	if err := Pack(&packed, from, "named"); err != nil {
		t.Fatal(err)
	}
	if leftOut, err := Unpack(to, bytes.NewReader(packed.Bytes())); err != nil || len(leftOut) > 0 {
		t.Fatal(leftOut, err)
	}
	for file, size := range map[string]int64{"named/a/one": 15000, "named/empty": 0, Complete: 0} {
		info, err := os.Stat(filepath.Join(to, filepath.FromSlash(file)))
		if err != nil {
			t.Error(err)
		} else if info.Size() != size {
			t.Errorf("%s has %d bytes, want %d", file, info.Size(), size)
		}
	}
}

// Wherever it is cut, also between two of its entries.
func TestUnpackTellsWhatWasCut(t *testing.T) {
	var packed bytes.Buffer
	from := t.TempDir()
	write(t, filepath.Join(from, "one"), strings.Repeat("1", 700))
	write(t, filepath.Join(from, "two"), "2")
	if err := Pack(&packed, from, "named"); err != nil {
		t.Fatal(err)
	}
	for length := 0; length < packed.Len(); length += 256 {
		if _, err := Unpack(t.TempDir(), bytes.NewReader(packed.Bytes()[:length])); !errors.Is(err, ErrCut) {
			t.Errorf("after %d of %d bytes: %v", length, packed.Len(), err)
		}
	}
}

func TestUnpackStaysInside(t *testing.T) {
	outside := t.TempDir()
	for name, entries := range map[string][]tar.Header{
		"a path upwards": {{Typeflag: tar.TypeReg, Name: "../../evil"}},
		"from the root":  {{Typeflag: tar.TypeReg, Name: filepath.ToSlash(filepath.Join(outside, "evil"))}},
		"through a link": {{Typeflag: tar.TypeSymlink, Name: "link", Linkname: outside}, {Typeflag: tar.TypeReg, Name: "link/evil"}},
	} {
		var packed bytes.Buffer
		w := tar.NewWriter(&packed)
		for i := range entries {
			if err := w.WriteHeader(&entries[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(outside, "in", "here")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		leftOut, err := Unpack(folder, &packed)
		if err == nil && len(leftOut) == 0 {
			t.Errorf("%s: nothing was refused", name)
		}
		for _, evil := range []string{filepath.Join(outside, "evil"), filepath.Join(outside, "in", "evil")} {
			if _, err := os.Lstat(evil); err == nil {
				t.Errorf("%s: it got out", name)
			}
		}
	}
}

func TestPlace(t *testing.T) {
	folder := t.TempDir()
	from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
	write(t, filepath.Join(from, "a", "new"), "new")
	write(t, filepath.Join(from, "b"), "new")
	write(t, filepath.Join(to, "a", "old"), "old")
	write(t, filepath.Join(to, "b"), "old")
	if err := Place(from, to); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"a/new": "new", "a/old": "old", "b": "new"} {
		if got, err := os.ReadFile(filepath.Join(to, file)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	alone := filepath.Join(folder, "alone")
	if err := Place(filepath.Join(to, "b"), alone); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(alone); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
}
