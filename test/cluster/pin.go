package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// etcdClient is what the API server is made with. The server beside it has the
// same version.
const etcdClient = "go.etcd.io/etcd/client/v3"

// goMod is what `go mod edit -json` prints of a go.mod, as far as it is used.
type goMod struct {
	Go      string
	Godebug []struct{ Key, Value string }
	Tool    []struct{ Path string }
	Require []moduleVersion
	Replace []struct{ Old, New moduleVersion }
}

type moduleVersion struct{ Path, Version string }

// required is the version of a module, or "".
func (m goMod) required(path string) string {
	for _, r := range m.Require {
		if r.Path == path {
			return r.Version
		}
	}
	return ""
}

var patchVersion = regexp.MustCompile(`^v(1\.\d+)\.(\d+)$`)

// pin writes the module of a Kubernetes release, made of the release's own
// go.mod, in the place of the module of its minor version's earlier patch.
func pin(ctx context.Context, args []string) error {
	if len(args) != 1 || !patchVersion.MatchString(args[0]) {
		return usageError("pin takes a version of Kubernetes, such as v1.37.2")
	}
	version := args[0]
	source, err := sourceDir()
	if err != nil {
		return err
	}
	// Written beside, and moved in when it is known to resolve.
	partial, err := os.MkdirTemp("", "pin-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)

	own, err := publishedModule(ctx, partial, version)
	if err != nil {
		return err
	}
	content, err := pinningModule(own, version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(partial, "go.mod"), content, 0o644); err != nil {
		return err
	}
	if err := resolve(ctx, partial); err != nil {
		return err
	}
	folder := filepath.Join(source, release{minor: patchVersion.FindStringSubmatch(version)[1]}.folder())
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		written, err := os.ReadFile(filepath.Join(partial, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), written, 0o644); err != nil {
			return err
		}
	}
	fmt.Println(folder)
	return nil
}

// publishedModule is the go.mod of k8s.io/kubernetes.
func publishedModule(ctx context.Context, dir, version string) (goMod, error) {
	var downloaded struct{ GoMod, Error string }
	own := goMod{}
	out, err := goCommand(ctx, dir, nil, "mod", "download", "-json", "k8s.io/kubernetes@"+version)
	if decodeErr := json.Unmarshal(out, &downloaded); decodeErr == nil && downloaded.Error != "" {
		return own, errors.New(downloaded.Error) // it says more than that go failed
	}
	if err != nil {
		return own, err
	}
	if out, err = goCommand(ctx, dir, nil, "mod", "edit", "-json", downloaded.GoMod); err != nil {
		return own, err
	}
	return own, json.Unmarshal(out, &own)
}

// neverBuilt are staging modules that no command of Kubernetes has in it. Of
// some patches, they are not even published.
var neverBuilt = []string{"k8s.io/sample-apiserver", "k8s.io/sample-cli-plugin", "k8s.io/sample-controller"}

// pinningModule is the go.mod that builds the commands of a release with the
// versions of everything that the release has itself.
func pinningModule(own goMod, version string) ([]byte, error) {
	parts := patchVersion.FindStringSubmatch(version)
	staging := "v0" + strings.TrimPrefix(version, "v1")
	etcd := own.required(etcdClient)
	if etcd == "" {
		return nil, fmt.Errorf("k8s.io/kubernetes %s requires no %s, whose version is that of the etcd to build", version, etcdClient)
	}

	var out bytes.Buffer
	fmt.Fprintf(&out, "// Written by `go run . pin %s` in test/cluster. DO NOT EDIT.\n", version)
	fmt.Fprintf(&out, "module debugsession.dev/operator/test/cluster/kubernetes/%s\n\ngo %s\n\n", parts[1], own.Go)
	for _, setting := range own.Godebug {
		fmt.Fprintf(&out, "godebug %s=%s\n\n", setting.Key, setting.Value)
	}
	fmt.Fprintf(&out, "tool (\n\t%s\n)\n\n", strings.Join(kubernetesCommands(), "\n\t"))
	fmt.Fprintf(&out, "require (\n\t%s %s\n\tk8s.io/kubernetes %s\n)\n\n", etcdServer, etcd, version)
	out.WriteString("require (\n")
	for _, required := range own.Require {
		if required.Path != etcdServer && !slices.Contains(neverBuilt, required.Path) {
			fmt.Fprintf(&out, "\t%s %s // indirect\n", required.Path, required.Version)
		}
	}
	out.WriteString(`)

// k8s.io/kubernetes names its own staging modules as v0.0.0 and replaces them
// by folders that the published module does not hold. Each is published by
// itself, with 0 for the major version.
replace (
`)
	for _, replaced := range own.Replace {
		if strings.HasPrefix(replaced.New.Path, "./staging/") {
			fmt.Fprintf(&out, "\t%s => %[1]s %s\n", replaced.Old.Path, staging)
		}
	}
	out.WriteString(")\n")
	return out.Bytes(), nil
}

// resolve has go complete go.mod and go.sum, for each system that something is
// built for. `go mod tidy` would also look at the tests of all that is required.
func resolve(ctx context.Context, dir string) error {
	for _, system := range []struct {
		name     string
		commands []string
	}{
		{"linux", kubernetesCommands()},
		{"darwin", controlPlaneCommands},
	} {
		args := append([]string{"list", "-mod=mod", "-deps"}, system.commands...)
		if _, err := goCommand(ctx, dir, []string{"GOOS=" + system.name}, args...); err != nil {
			return fmt.Errorf("for %s: %w", system.name, err)
		}
	}
	return nil
}

func goCommand(ctx context.Context, dir string, environment []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS="), environment...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go %s: %w", strings.Join(args[:2], " "), err)
	}
	return out, err
}
