// Package archive packs and unpacks what kubectl dbg cp copies. What is unpacked comes from a debugger, which may be anybody's: nothing of it
// gets outside the folder that it is unpacked into.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Complete is the name of the last entry of an archive that is packed here: one that lacks it was cut off on its way.
const Complete = ".kubectl-dbg-complete"

// Pack writes a file, or a folder with all that is in it, as an archive, under a name. Links are packed as links.
func Pack(w io.Writer, from, name string) error {
	packed := tar.NewWriter(w)
	err := filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		within, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		return packOne(packed, file, path.Join(name, filepath.ToSlash(within)), entry)
	})
	if err != nil {
		return err
	}
	if err := packed.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: Complete, Mode: 0o600}); err != nil {
		return err
	}
	return packed.Close()
}

func packOne(packed *tar.Writer, file, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(file); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name = name
	if err := packed.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
		return err
	}
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	if _, err := io.Copy(packed, content); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// ErrCut is that an archive ended before its end.
var ErrCut = errors.New("the transfer is incomplete")

// Unpack writes what is in an archive into a folder, and returns the names of what it left out: whatever is neither a file nor a folder.
func Unpack(folder string, r io.Reader) (leftOut []string, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	end := &trailer{r: r}
	unpacked := tar.NewReader(end)
	for {
		header, err := unpacked.Next()
		switch {
		case errors.Is(err, io.EOF):
			return leftOut, end.check()
		case errors.Is(err, io.ErrUnexpectedEOF):
			return leftOut, ErrCut
		case err != nil:
			return leftOut, err
		}
		name := filepath.FromSlash(path.Clean(header.Name))
		switch mode := header.FileInfo().Mode(); {
		case mode.IsDir():
			err = root.MkdirAll(name, mode.Perm()|0o700)
		case mode.IsRegular():
			err = unpackOne(root, name, mode.Perm(), unpacked)
		default:
			leftOut = append(leftOut, header.Name)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return leftOut, ErrCut
		}
		if err != nil {
			return leftOut, err
		}
	}
}

func unpackOne(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode|0o200)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// trailer knows how many zeros an archive ends with so far. The end of one is two blocks of them, without which tar.Reader would take one for
// whole that was cut between two of its entries.
type trailer struct {
	r     io.Reader
	zeros int
}

func (t *trailer) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	for _, b := range p[:n] {
		t.zeros++
		if b != 0 {
			t.zeros = 0
		}
	}
	return n, err
}

func (t *trailer) check() error {
	const blocks = 2 * 512
	if t.zeros < blocks {
		return ErrCut
	}
	return nil
}

// Place puts what was unpacked under a name where it belongs, and into a folder that is there already. Each file is at its place whole or not
// at all, if the two are on the same file system.
func Place(from, to string) error {
	return filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		within, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		place := filepath.Join(to, within)
		if !entry.IsDir() {
			return os.Rename(file, place)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.MkdirAll(place, info.Mode().Perm())
	})
}
