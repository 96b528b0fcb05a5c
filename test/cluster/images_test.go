//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"testing"
)

func TestTreeWritesFoldersBeforeTheirContent(t *testing.T) {
	original := tree{}
	original.text("etc/deep/file", "x")
	original.link("bin/sh", "busybox")
	other := maps.Clone(original)
	other.link("bin/sh", "bash")
	if original["bin/sh"].header.Linkname != "busybox" {
		t.Error("an image made from another changes it")
	}
	content, err := original.write()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	reader := tar.NewReader(bytes.NewReader(content))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen[header.Name] = true
		if header.Name == "etc/deep/file" && (!seen["etc"] || !seen["etc/deep"]) {
			t.Error("a file comes before its folder")
		}
	}
	if len(seen) != 5 {
		t.Errorf("got %v", seen)
	}
	again, err := original.write()
	if err != nil || !bytes.Equal(content, again) {
		t.Error("the same tree makes another layer")
	}
}
