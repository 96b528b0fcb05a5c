//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// stockImage is an image that every cluster has, made on this machine from
// Debian's packages and this folder's programs.
type stockImage struct {
	tags   []string
	tree   tree
	config v1.Config
}

// writeStockImages puts an archive of each into the folder that the registry
// serves.
func writeStockImages(ctx context.Context) error {
	programs := inCluster("bin")
	source, err := sourceDir()
	if err != nil {
		return err
	}
	if err := goBuild(ctx, source, programs, "-s -w", []string{"./images/pause", "./images/server", "./images/sniff"}); err != nil {
		return err
	}
	images, err := stockImages(ctx, programs)
	if err != nil {
		return err
	}
	for _, stock := range images {
		image, err := stock.build()
		if err != nil {
			return fmt.Errorf("image %s: %w", stock.tags[0], err)
		}
		for _, tag := range stock.tags {
			if err := writeArchive(tag, image); err != nil {
				return fmt.Errorf("image %s: %w", tag, err)
			}
		}
	}
	return nil
}

func stockImages(ctx context.Context, programs string) ([]stockImage, error) {
	applets, err := busyboxTree(ctx)
	if err != nil {
		return nil, err
	}
	bash := maps.Clone(applets)
	bash.program("bin/bash", "/bin/bash-static")
	bash.link("bin/sh", "bash")
	dash := maps.Clone(applets)
	if err := dash.dynamicBinary(ctx, "bin/dash", "/bin/dash"); err != nil {
		return nil, err
	}
	dash.link("bin/sh", "dash")

	pause := tree{}
	pause.program("pause", filepath.Join(programs, "pause"))
	server := tree{}
	server.program("server", filepath.Join(programs, "server"))
	server.text("etc/app-config.txt", "greeting = hello\n")
	server.text("etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")
	server.folder("tmp", 0o1777)

	sniff := maps.Clone(applets)
	sniff.program("bin/sniff", filepath.Join(programs, "sniff"))

	const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	return []stockImage{
		{[]string{pauseImage}, pause, v1.Config{Entrypoint: []string{"/pause"}, User: "65535:65535"}},
		{[]string{"busybox:1.36", "busybox:latest"}, applets, v1.Config{Cmd: []string{"sh"}, Env: []string{searchPath}}},
		{[]string{"bash:5.2", "bash:latest"}, bash, v1.Config{Cmd: []string{"bash"}, Env: []string{searchPath}}},
		{[]string{"dash:0.5", "dash:latest"}, dash, v1.Config{Cmd: []string{"dash"}, Env: []string{searchPath}}},
		{[]string{"sniff:v1"}, sniff, v1.Config{Cmd: []string{"sh"}, Env: []string{searchPath}}},
		{[]string{"server:v1", "server:v2", "server:latest"}, server, v1.Config{
			Entrypoint: []string{"/server"}, User: "65532:65532", WorkingDir: "/",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		}},
	}, nil
}

// busyboxTree is busybox with a link for each applet, at the applet's usual path.
func busyboxTree(ctx context.Context) (tree, error) {
	const busybox = "/bin/busybox"
	output, err := exec.CommandContext(ctx, busybox, "--list-full").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list-full: %w", busybox, err)
	}
	t := tree{}
	for applet := range strings.FieldsSeq(string(output)) {
		t.link(applet, busybox)
	}
	t.program("bin/busybox", busybox)
	t.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
	t.text("etc/group", "root:x:0:\nnobody:x:65534:\n")
	t.folder("tmp", 0o1777)
	t.folder("root", 0o700)
	return t, nil
}

// tree is a layer's content by path, without the leading slash.
type tree map[string]entry

type entry struct {
	header tar.Header
	from   string // a file on this machine
	text   string
}

// program puts in a file of this machine that can be run.
func (t tree) program(at, from string) {
	t[at] = entry{header: tar.Header{Typeflag: tar.TypeReg, Mode: 0o755}, from: from}
}

func (t tree) text(at, content string) {
	t[at] = entry{header: tar.Header{Typeflag: tar.TypeReg, Mode: 0o644}, text: content}
}

func (t tree) link(at, target string) {
	t[at] = entry{header: tar.Header{Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: target}}
}

func (t tree) folder(at string, mode int64) {
	t[at] = entry{header: tar.Header{Typeflag: tar.TypeDir, Mode: mode}}
}

var libraryPath = regexp.MustCompile(`/\S+`)

// dynamicBinary adds a program with the libraries and the loader that ldd names.
func (t tree) dynamicBinary(ctx context.Context, at, from string) error {
	output, err := exec.CommandContext(ctx, "ldd", from).Output()
	if err != nil {
		return fmt.Errorf("ldd %s: %w", from, err)
	}
	for _, library := range libraryPath.FindAllString(string(output), -1) {
		t.program(strings.TrimPrefix(library, "/"), library)
	}
	t.program(at, from)
	return nil
}

// write makes a tar of the tree, each folder before what is in it, in an order
// that depends on the paths alone: the same tree is the same layer.
func (t tree) write() ([]byte, error) {
	whole := maps.Clone(t)
	for at := range t {
		for dir := path.Dir(at); dir != "."; dir = path.Dir(dir) {
			if _, there := whole[dir]; !there {
				whole.folder(dir, 0o755)
			}
		}
	}
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, at := range slices.Sorted(maps.Keys(whole)) {
		e := whole[at]
		content := []byte(e.text)
		if e.from != "" {
			var err error
			if content, err = os.ReadFile(e.from); err != nil {
				return nil, err
			}
		}
		e.header.Name, e.header.Size = at, int64(len(content))
		if err := writer.WriteHeader(&e.header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(content); err != nil {
			return nil, err
		}
	}
	return buffer.Bytes(), writer.Close()
}

func (s stockImage) build() (v1.Image, error) {
	content, err := s.tree.write()
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, s.config
	return mutate.ConfigFile(image, file)
}

// writeArchive puts an image into the folder that the registry loads when it
// starts: the registry keeps nothing else on disk.
func writeArchive(tag string, image v1.Image) error {
	reference, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	file := strings.NewReplacer("/", "_", ":", "_").Replace(reference.Name()) + ".tar"
	return tarball.WriteToFile(inCluster("images", file), reference, image)
}
