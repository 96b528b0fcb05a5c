package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const product = "debugsession-operator"

// release is what is asked for, and then what is known of the commit.
type release struct {
	version, out, repository, downloads, source, builder string
	platforms                                            []string

	commit string
	time   time.Time
	notes  string
}

// make writes all files. The checksums are of what is there before them; the provenance is of what has a checksum.
func (r *release) make(ctx context.Context) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if err := r.archives(ctx); err != nil {
		return err
	}
	managers, err := r.managers(ctx)
	if err != nil {
		return err
	}
	digest, err := r.images(managers)
	if err != nil {
		return err
	}
	image := r.repository + "@" + digest
	if err := r.manifest(image); err != nil {
		return err
	}
	if err := r.chart(digest); err != nil {
		return err
	}
	if err := r.sbom(managers, digest); err != nil {
		return err
	}
	if err := r.write("notes.md", fmt.Appendf(nil, "%s\n\nImage: %#q\n", r.notes, image)); err != nil {
		return err
	}
	sums, err := r.checksums()
	if err != nil {
		return err
	}
	if err := r.provenance(sums, digest); err != nil {
		return err
	}
	fmt.Printf("release: %s is in %s\n", image, r.out)
	return nil
}

func (r *release) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(r.out, name), data, 0o644)
}

// archives has the plugin built for each platform, with the krew manifest that names the archives.
func (r *release) archives(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "tools/plugin-archives.sh", append([]string{r.out, r.version}, r.platforms...)...)
	cmd.Env = append(buildEnv(), "RELEASES="+r.downloads)
	return run(cmd)
}

// manager is the operator's binary for a platform of nodes.
type manager struct{ arch, path string }

func (r *release) managers(ctx context.Context) ([]manager, error) {
	var all []manager
	for _, arch := range []string{"amd64", "arm64"} {
		built := manager{arch, filepath.Join(r.out, fmt.Sprintf("manager_%s_linux_%s", r.version, arch))}
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version="+r.version, "-o", built.path, "./cmd/manager")
		cmd.Env = append(buildEnv(), "GOOS=linux", "GOARCH="+arch)
		if err := run(cmd); err != nil {
			return nil, err
		}
		fmt.Printf("release: the operator for linux/%s\n", arch)
		all = append(all, built)
	}
	return all, nil
}

// buildEnv keeps out of binaries what differs between two builds of a commit: whether it had a tag yet, and what the environment has of
// flags for the processor.
func buildEnv() []string {
	flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -buildvcs=false")
	return append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS="+flags, "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off")
}

func run(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimRight(string(out), "\n"), nil
}
