package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// goModule is a nested module that pins commands, apart from this tool's own
// dependencies and from the operator's.
type goModule struct {
	folder   string
	packages []string
	ldflags  string
}

const etcdServer = "go.etcd.io/etcd/server/v3"

// controlPlaneCommands are what envtest needs: they build and run without root,
// and on other systems than Linux.
var controlPlaneCommands = []string{
	etcdServer,
	"k8s.io/kubernetes/cmd/kube-apiserver",
	"k8s.io/kubernetes/cmd/kubectl",
}

var nodeOnlyCommands = []string{
	"k8s.io/kubernetes/cmd/kube-controller-manager",
	"k8s.io/kubernetes/cmd/kube-proxy",
	"k8s.io/kubernetes/cmd/kube-scheduler",
	"k8s.io/kubernetes/cmd/kubelet",
}

func kubernetesCommands() []string {
	return slices.Concat(controlPlaneCommands, nodeOnlyCommands)
}

func controlPlane(r release) goModule {
	return goModule{folder: r.folder(), packages: controlPlaneCommands, ldflags: r.versionFlags()}
}

func node(r release) goModule {
	return goModule{folder: r.folder(), packages: nodeOnlyCommands, ldflags: r.versionFlags()}
}

var runtimeAndNetwork = goModule{
	folder: "containerd",
	packages: []string{
		"github.com/containerd/containerd/v2/cmd/containerd",
		"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
		"github.com/containerd/containerd/v2/cmd/ctr",
		"github.com/containernetworking/plugins/plugins/ipam/host-local",
		"github.com/containernetworking/plugins/plugins/main/bridge",
		"github.com/containernetworking/plugins/plugins/main/loopback",
	},
	ldflags: "-s -w",
}

func buildCommands() []command {
	return []command{
		{"assets", "", "build etcd, kube-apiserver, kubectl; print their folder (KUBEBUILDER_ASSETS)",
			noArguments(printAssets)},
		{"build", "", "build all binaries of the cluster into the cache; no root needed",
			noArguments(buildAll)},
		{"pin", "VERSION", "write the module that builds a version of Kubernetes, such as v1.37.2", pin},
	}
}

func printAssets(ctx context.Context) error {
	r, err := chosenRelease()
	if err != nil {
		return err
	}
	bin, err := build(ctx, r, controlPlane(r))
	if err != nil {
		return err
	}
	fmt.Println(bin)
	return nil
}

func buildAll(ctx context.Context) error {
	r, err := chosenRelease()
	if err != nil {
		return err
	}
	_, err = build(ctx, r, controlPlane(r), node(r), runtimeAndNetwork)
	return err
}

// build makes the binaries of a release that are missing from its cache, and
// returns their folder. One go build per module: packages shared by several
// commands are compiled once, on all cores.
func build(ctx context.Context, r release, modules ...goModule) (bin string, err error) {
	if bin, err = binDir(r); err != nil {
		return "", err
	}
	source, err := sourceDir()
	if err != nil {
		return "", err
	}
	for _, module := range modules {
		if err := buildModule(ctx, module, source, bin); err != nil {
			return "", err
		}
	}
	return bin, nil
}

func buildModule(ctx context.Context, module goModule, source, bin string) error {
	var packages, names []string
	for _, pkg := range module.packages {
		if _, err := os.Stat(filepath.Join(bin, binaryName(pkg))); err != nil {
			packages = append(packages, pkg)
			names = append(names, binaryName(pkg))
		}
	}
	if len(packages) == 0 {
		return nil
	}
	step := beginStep("build " + strings.Join(names, ", ") + " of " + module.folder)
	// Built beside the cache and moved in: an interrupted build never leaves
	// half a binary that later looks complete.
	partial, err := os.MkdirTemp(filepath.Dir(bin), "partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	if err := goBuild(ctx, filepath.Join(source, module.folder), partial, module.ldflags, packages); err != nil {
		return err
	}
	for _, pkg := range packages {
		if err := os.Rename(filepath.Join(partial, goBuildName(pkg)), filepath.Join(bin, binaryName(pkg))); err != nil {
			return err
		}
	}
	step.done()
	return nil
}

// goBuild builds packages of the module in dir into the folder out.
func goBuild(ctx context.Context, dir, out, ldflags string, packages []string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=" + ldflags, "-o", out + "/"}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// The caller's workspace and flags are for the operator, not for these.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build in %s: %w", dir, err)
	}
	return nil
}

// goBuildName is the file name go build chooses: the last path element that is
// not a major version.
func goBuildName(pkg string) string {
	if path.Base(pkg) == "v3" {
		return path.Base(path.Dir(pkg))
	}
	return path.Base(pkg)
}

// binaryName is the file name in the cache.
func binaryName(pkg string) string {
	if pkg == etcdServer {
		return "etcd"
	}
	return goBuildName(pkg)
}

// binDir is the cache folder of a release's binaries, made if missing. Its name changes
// with every pinned version, so that a stale binary is never used.
func binDir(r release) (string, error) {
	source, err := sourceDir()
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, name := range []string{r.folder() + "/go.mod", r.folder() + "/go.sum", "containerd/go.mod", "containerd/go.sum"} {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("set XDG_CACHE_HOME or HOME: %w", err)
		}
		cache = filepath.Join(home, ".cache")
	}
	name := fmt.Sprintf("k8s-%s-%x", r.version, hash.Sum(nil)[:4])
	bin := filepath.Join(cache, "debugsession", name, "bin")
	return bin, os.MkdirAll(bin, 0o755)
}

// sourceDir is the folder of this file: the nested modules cannot be embedded
// in the binary, and go run sets no working directory.
func sourceDir() (string, error) {
	candidates := []string{"."}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		candidates = append(candidates, filepath.Dir(file))
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "containerd", "go.mod")); err == nil {
			return filepath.Abs(dir)
		}
	}
	return "", fmt.Errorf("cannot find the source of this tool: run it as `go run .` in test/cluster")
}
