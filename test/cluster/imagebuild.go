//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// buildImage is the subcommand image-build: a Dockerfile's image, built without
// an engine and without an outside registry, loaded into the cluster's. buildah
// works in a folder of its own, so the machine's containers are left alone.
func buildImage(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image-build", flag.ContinueOnError)
	tag := flags.String("tag", "", "the image's `name`")
	dockerfile := flags.String("file", "", "the Dockerfile; left out: the one in the folder")
	if err := flags.Parse(args); err != nil {
		return usageError("image-build: %v", err)
	}
	if *tag == "" || flags.NArg() != 1 {
		return usageError("image-build takes --tag NAME and a folder with a Dockerfile")
	}
	if err := requireRegistry(ctx); err != nil {
		return err
	}
	if err := installPackages(ctx, map[string]string{"buildah": "buildah"}); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "image-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	builder := buildah{work: work}
	if err := builder.prepare(); err != nil {
		return err
	}
	build := []string{"build", "--isolation", "chroot", "--cni-config-dir", filepath.Join(work, "cni"), "--tag", *tag}
	if *dockerfile != "" {
		build = append(build, "--file", *dockerfile)
	}
	archive := filepath.Join(work, "image.tar")
	if err := builder.run(ctx, append(build, flags.Arg(0))...); err != nil {
		return err
	}
	if err := builder.run(ctx, "push", *tag, "docker-archive:"+archive+":"+*tag); err != nil {
		return err
	}
	return loadImages(ctx, []string{"--tag", *tag, archive})
}

type buildah struct{ work string }

// prepare makes every base image come from the cluster's registry.
func (b buildah) prepare() error {
	registries := fmt.Sprintf("unqualified-search-registries = [\"docker.io\"]\n"+
		"[[registry]]\nprefix = \"docker.io\"\nlocation = %q\ninsecure = true\n", registryAddress)
	if err := os.WriteFile(filepath.Join(b.work, "registries.conf"), []byte(registries), 0o644); err != nil {
		return err
	}
	policy := `{"default": [{"type": "insecureAcceptAnything"}]}`
	return os.WriteFile(filepath.Join(b.work, "policy.json"), []byte(policy), 0o644)
}

func (b buildah) run(ctx context.Context, args ...string) error {
	global := []string{
		"--storage-driver", "vfs",
		"--root", filepath.Join(b.work, "root"), "--runroot", filepath.Join(b.work, "run"),
	}
	own := []string{args[0], "--signature-policy", filepath.Join(b.work, "policy.json")}
	cmd := exec.CommandContext(ctx, "buildah", append(append(global, own...), args[1:]...)...)
	cmd.Env = append(os.Environ(), "CONTAINERS_REGISTRIES_CONF="+filepath.Join(b.work, "registries.conf"))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("buildah %s: %w", args[0], err)
	}
	return nil
}
