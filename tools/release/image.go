package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// images writes the layout of the images, as a tar, and returns the digest of the index that has both. They are what the Dockerfile
// describes: scratch, the binary, a user by number.
func (r *release) images(managers []manager) (string, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, manager := range managers {
		image, err := r.image(manager)
		if err != nil {
			return "", fmt.Errorf("image for %s: %w", manager.arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: manager.arch}},
		})
	}
	index = mutate.Annotations(index, r.labels()).(v1.ImageIndex)
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp("", "layout-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	at, err := layout.Write(folder, empty.Index)
	if err != nil {
		return "", err
	}
	name := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.version})
	if err := at.AppendIndex(index, name); err != nil {
		return "", err
	}
	archive, err := os.Create(filepath.Join(r.out, fmt.Sprintf("%s_%s_oci.tar", product, r.version)))
	if err != nil {
		return "", err
	}
	defer archive.Close()
	if err := writeTar(archive, os.DirFS(folder), r.time); err != nil {
		return "", err
	}
	return digest.String(), archive.Close()
}

func (r *release) image(manager manager) (v1.Image, error) {
	binary, err := os.ReadFile(manager.path)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	header := &tar.Header{Name: "manager", Mode: 0o755, Size: int64(len(binary)), ModTime: r.time, Format: tar.FormatPAX}
	if err := files.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := files.Write(binary); err != nil {
		return nil, err
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil }
	content, err := tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.Append(image, mutate.Addendum{Layer: content, History: v1.History{CreatedBy: "make release", Created: v1.Time{Time: r.time}}}); err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", manager.arch, v1.Time{Time: r.time}
	config.Config = v1.Config{User: "65532:65532", Entrypoint: []string{"/manager"}, Labels: r.labels()}
	return mutate.ConfigFile(image, config)
}

func (r *release) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.created":  r.time.Format(time.RFC3339),
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.revision": r.commit,
		"org.opencontainers.image.source":   r.source,
		"org.opencontainers.image.title":    product,
		"org.opencontainers.image.version":  r.version,
	}
}

// writeTar writes the files of a folder in the order of their names, as nobody's and of one time.
func writeTar(out io.Writer, folder fs.FS, at time.Time) error {
	archive := tar.NewWriter(out)
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: at, Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err = archive.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return archive.Close()
}
