package command

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"debugsession.dev/operator/internal/dbgcli/archive"
)

func TestWhichPathOfACopyIsInTheDebugger(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     cpOptions
		err      string
	}{
		{":/tmp/a", ".", cpOptions{there: "/tmp/a", here: "."}, ""},
		{"./a", ":/tmp", cpOptions{there: "/tmp", here: "./a", upload: true}, ""},
		{"hang:/tmp/a", "b", cpOptions{session: "hang", there: "/tmp/a", here: "b"}, ""},
		{"dbg/hang.1:/tmp/a:b", "/tmp/b", cpOptions{session: "hang.1", there: "/tmp/a:b", here: "/tmp/b"}, ""},
		{"./a:b", ":c", cpOptions{there: "c", here: "./a:b", upload: true}, ""},
		{"a", "b", cpOptions{}, "kubectl dbg cp :a b"},
		{":a", ":b", cpOptions{}, "one of the two paths must be local"},
		{"hang:", "b", cpOptions{}, "kubectl dbg cp hang:/PATH PATH"},
	} {
		var o cpOptions
		err := o.parse(test.from, test.to)
		switch {
		case test.err == "" && (err != nil || o != test.want):
			t.Errorf("%s %s: %+v, %v", test.from, test.to, o, err)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%s %s: %v, want %q", test.from, test.to, err, test.err)
		}
	}
}

func TestWhatIsCopiedAgain(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{lostError{errors.New("connection reset by peer")}, true},
		{&url.Error{Op: "Get", URL: "https://cluster", Err: errors.New("connection refused")}, true},
		{archive.ErrCut, true},
		{errors.New("in the debugger, tar: no such file"), false},
		{apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", nil), false},
	} {
		if got := lostOnTheWay(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}

// The script that unpacks in a debugger, in a shell of this machine.
func TestUnpack(t *testing.T) {
	for _, tool := range []string{"sh", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	from := filepath.Join(t.TempDir(), "conf")
	if err := os.MkdirAll(filepath.Join(from, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "d", "new"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := archive.Pack(&packed, from, "conf"); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	run := func(to, try string, length int) error {
		cmd := exec.Command("sh", "-c", unpack, "dbg", filepath.Join(folder, to), "conf", staging+"1-", try, archive.Complete)
		cmd.Stdin = bytes.NewReader(packed.Bytes()[:length])
		return cmd.Run()
	}
	there := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if got, err := os.ReadFile(filepath.Join(folder, name, "d", "new")); err != nil || string(got) != "new" {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(folder, "*", staging+"*")); len(left) > 0 {
			t.Error("left:", left)
		}
		if left, _ := filepath.Glob(filepath.Join(folder, staging+"*")); len(left) > 0 {
			t.Error("left:", left)
		}
	}
	for _, length := range []int{0, 512, 700, 1536, 2048} { // some of which tar takes for whole
		if run("cut", "a", length) == nil {
			t.Errorf("%d of %d bytes are taken for all", length, packed.Len())
		}
		if _, err := os.Stat(filepath.Join(folder, "cut")); err == nil {
			t.Errorf("%d of %d bytes were put where they belong", length, packed.Len())
		}
		there()
	}
	for _, name := range []string{"into/conf/old", staging + "1-lost"} { // the latter as a lost connection leaves it
		if err := os.MkdirAll(filepath.Join(folder, filepath.FromSlash(name)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{"named", "into"} {
		if err := run(to, "b", packed.Len()); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	there("named", "into/conf")
	if _, err := os.Stat(filepath.Join(folder, "into", "conf", "old")); err != nil {
		t.Error("what was there is gone:", err)
	}
}
