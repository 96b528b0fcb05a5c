package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// These stand for `go mod tidy`, which the modules of Kubernetes are not held
// against: they name what Kubernetes itself requires, used or not.
func TestEveryReleaseIsPinnedAsAWhole(t *testing.T) {
	for _, r := range pinnedReleases(t) {
		module := readModule(t, r.folder())
		if !strings.HasPrefix(r.version, "v"+r.minor+".") {
			t.Errorf("%s/go.mod requires Kubernetes %s", r.folder(), r.version)
		}
		if server, client := module.required(etcdServer), module.required(etcdClient); server != client {
			t.Errorf("%s/go.mod builds etcd %s, and Kubernetes %s is made for %s", r.folder(), server, r.version, client)
		}
		staging := "v0" + strings.TrimPrefix(r.version, "v1")
		replaced := map[string]bool{}
		for _, replace := range module.Replace {
			replaced[replace.Old.Path] = true
			if want := (moduleVersion{replace.Old.Path, staging}); replace.New != want {
				t.Errorf("%s/go.mod replaces %s by %v, and not by %s", r.folder(), replace.Old.Path, replace.New, staging)
			}
		}
		for _, required := range module.Require {
			if required.Version == "v0.0.0" && !replaced[required.Path] {
				t.Errorf("%s/go.mod replaces no %s", r.folder(), required.Path)
			}
		}
	}
}

func TestEveryCommandIsPinned(t *testing.T) {
	for _, r := range pinnedReleases(t) {
		module := readModule(t, r.folder())
		for _, pkg := range kubernetesCommands() {
			if !slices.Contains(module.Tool, struct{ Path string }{pkg}) {
				t.Errorf("%s/go.mod has no tool %s", r.folder(), pkg)
			}
		}
	}
	content, err := os.ReadFile(filepath.Join(runtimeAndNetwork.folder, "tools.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range runtimeAndNetwork.packages {
		if !strings.Contains(string(content), `"`+pkg+`"`) {
			t.Errorf("%s/tools.go does not import %s", runtimeAndNetwork.folder, pkg)
		}
	}
}

func TestTheNewestReleaseIsChosenUnlessOneIsNamed(t *testing.T) {
	all := pinnedReleases(t)
	t.Setenv("K8S_VERSION", "")
	if r, err := chosenRelease(); err != nil || r != all[len(all)-1] {
		t.Errorf("got %v, %v", r, err)
	}
	t.Setenv("K8S_VERSION", all[0].minor)
	if r, err := chosenRelease(); err != nil || r != all[0] {
		t.Errorf("%s: got %v, %v", all[0].minor, r, err)
	}
	t.Setenv("K8S_VERSION", "1.2")
	if _, err := chosenRelease(); err == nil || !strings.Contains(err.Error(), all[0].minor) {
		t.Errorf("1.2: got %v, which should say what there is", err)
	}
}

func TestMinorsAreInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, minor := range []string{"1.10", "1.9", "1.33"} {
		if err := os.MkdirAll(filepath.Join(dir, "kubernetes", minor), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := pinnedMinors(dir)
	if want := []string{"1.9", "1.10", "1.33"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPinningModule(t *testing.T) {
	var own goMod
	if err := json.Unmarshal([]byte(`{
		"Go": "1.24.0", "Godebug": [{"Key": "default", "Value": "go1.24"}],
		"Require": [
			{"Path": "go.etcd.io/etcd/client/v3", "Version": "v3.5.21"}, {"Path": "go.etcd.io/etcd/server/v3", "Version": "v3.5.0"},
			{"Path": "k8s.io/api", "Version": "v0.0.0"}, {"Path": "k8s.io/sample-apiserver", "Version": "v0.0.0"}],
		"Replace": [
			{"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
			{"Old": {"Path": "example.com/fork"}, "New": {"Path": "example.com/other", "Version": "v1.0.0"}}]
	}`), &own); err != nil {
		t.Fatal(err)
	}
	content, err := pinningModule(own, "v1.33.13")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	module := readModule(t, dir)
	if module.Go != own.Go || !slices.Equal(module.Godebug, own.Godebug) {
		t.Errorf("go %s, godebug %v", module.Go, module.Godebug)
	}
	want := []moduleVersion{
		{etcdServer, "v3.5.21"}, {"k8s.io/kubernetes", "v1.33.13"},
		{etcdClient, "v3.5.21"}, {"k8s.io/api", "v0.0.0"},
	}
	if !slices.Equal(module.Require, want) {
		t.Errorf("requires %v", module.Require)
	}
	if len(module.Replace) != 1 || module.Replace[0].New != (moduleVersion{"k8s.io/api", "v0.33.13"}) {
		t.Errorf("replaces %v", module.Replace)
	}
}

func TestBinaryName(t *testing.T) {
	if got := binaryName(etcdServer); got != "etcd" {
		t.Errorf("got %s", got)
	}
	if got := goBuildName(etcdServer); got != "server" {
		t.Errorf("got %s", got)
	}
}

func pinnedReleases(t *testing.T) []release {
	t.Helper()
	minors, err := pinnedMinors(".")
	if err != nil {
		t.Fatal(err)
	}
	var all []release
	for _, minor := range minors {
		r, err := readRelease(".", minor)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func readModule(t *testing.T, dir string) goMod {
	t.Helper()
	out, err := goCommand(t.Context(), dir, nil, "mod", "edit", "-json")
	if err != nil {
		t.Fatal(err)
	}
	var module goMod
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	return module
}
