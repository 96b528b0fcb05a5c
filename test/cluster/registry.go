//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// serveRegistry is the registry component. containerd asks it for every image,
// whatever registry the image's name says, so docker.io/library/busybox and
// registry.k8s.io/library/busybox are the same image here.
func serveRegistry(ctx context.Context) error {
	listener, err := net.Listen("tcp", registryAddress)
	if err != nil {
		return err
	}
	var loaded atomic.Bool
	mux := http.NewServeMux()
	mux.Handle("/v2/", registry.New(registry.Logger(log.New(os.Stderr, "", log.LstdFlags))))
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !loaded.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	served := make(chan error, 1)
	go func() { served <- http.Serve(listener, mux) }()
	archives, err := filepath.Glob(inCluster("images", "*.tar"))
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if _, err := pushArchive(ctx, archive, ""); err != nil {
			return err
		}
	}
	loaded.Store(true)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil
	}
}

// loadImages is the subcommand load.
func loadImages(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	tag := flags.String("tag", "", "the image's `name`; left out: the names in the archive")
	if err := flags.Parse(args); err != nil {
		return usageError("load: %v", err)
	}
	if flags.NArg() == 0 || (*tag != "" && flags.NArg() > 1) {
		return usageError("load takes docker-archive files, and one alone with --tag")
	}
	if err := requireRegistry(ctx); err != nil {
		return err
	}
	for _, archive := range flags.Args() {
		tags, err := pushArchive(ctx, archive, *tag)
		if err != nil {
			return err
		}
		for _, pushed := range tags {
			fmt.Println(pushed.Name())
		}
	}
	return nil
}

func requireRegistry(ctx context.Context) error {
	if err := httpProbe("http://" + registryAddress + "/readyz")(ctx); err != nil {
		return fmt.Errorf("the cluster's registry does not answer; is the cluster up? %w", err)
	}
	return nil
}

// pushArchive pushes a docker-archive under a tag, or under its own tags. The
// registry pushes to itself when it starts; anyone else keeps the archive for
// that, and makes containerd forget what the tag named before: a pod with
// imagePullPolicy IfNotPresent gets the new image.
func pushArchive(ctx context.Context, archive, tag string) ([]name.Tag, error) {
	tags, err := archiveTags(archive, tag)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", archive, err)
	}
	for _, t := range tags {
		image, err := openArchive(archive, tag, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", archive, err)
		}
		if err := push(ctx, t, image); err != nil {
			return nil, err
		}
		if filepath.Dir(archive) == inCluster("images") {
			continue
		}
		if err := writeArchive(t.Name(), image); err != nil {
			return nil, err
		}
		if err := forgetPulled(ctx, t); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

func archiveTags(archive, tag string) ([]name.Tag, error) {
	if tag != "" {
		t, err := name.NewTag(tag)
		return []name.Tag{t}, err
	}
	manifest, err := tarball.LoadManifest(fileOpener(archive))
	if err != nil {
		return nil, err
	}
	var tags []name.Tag
	for _, descriptor := range manifest {
		for _, repoTag := range descriptor.RepoTags {
			t, err := name.NewTag(repoTag)
			if err != nil {
				return nil, err
			}
			tags = append(tags, t)
		}
	}
	if len(tags) == 0 {
		return nil, errors.New("the archive names no image; use --tag NAME")
	}
	return tags, nil
}

// openArchive takes the archive's only image when the caller named it, and
// else the one with that tag.
func openArchive(archive, named string, tag name.Tag) (v1.Image, error) {
	if named != "" {
		return tarball.ImageFromPath(archive, nil)
	}
	return tarball.ImageFromPath(archive, &tag)
}

func push(ctx context.Context, tag name.Tag, image v1.Image) error {
	local, err := name.NewTag(registryAddress+"/"+tag.RepositoryStr()+":"+tag.TagStr(), name.Insecure)
	if err != nil {
		return err
	}
	if err := remote.Write(local, image, remote.WithContext(ctx), remote.WithTransport(transport(nil))); err != nil {
		return fmt.Errorf("push %s: %w", tag.Name(), err)
	}
	return nil
}

// forgetPulled removes a tag from containerd. Containers that run from it keep
// their files.
func forgetPulled(ctx context.Context, tag name.Tag) error {
	p, err := recorded("containerd")
	if err != nil {
		return err
	}
	pulled := tag.Name()
	if tag.RegistryStr() == name.DefaultRegistry { // containerd says docker.io
		pulled = "docker.io/" + tag.RepositoryStr() + ":" + tag.TagStr()
	}
	return runQuiet(ctx, filepath.Join(filepath.Dir(p.Argv[0]), "ctr"), "--address", containerdSocket(), "--namespace", "k8s.io", "images", "remove", "--sync", pulled)
}

func fileOpener(path string) tarball.Opener {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}
