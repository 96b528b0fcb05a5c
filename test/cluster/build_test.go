package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionIsTheOneThatIsBuilt(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("kubernetes", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "k8s.io/kubernetes "+kubernetesVersion+"\n") {
		t.Errorf("kubernetes/go.mod does not require %s: change kubernetesVersion with it", kubernetesVersion)
	}
}

// tools.go is what keeps a command's dependencies in go.mod.
func TestEveryCommandIsPinned(t *testing.T) {
	for _, module := range []goModule{controlPlane, node, runtimeAndNetwork} {
		content, err := os.ReadFile(filepath.Join(module.folder, "tools.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, pkg := range module.packages {
			if !strings.Contains(string(content), `"`+pkg+`"`) {
				t.Errorf("%s/tools.go does not import %s", module.folder, pkg)
			}
		}
	}
}

func TestBinaryName(t *testing.T) {
	if got := binaryName("go.etcd.io/etcd/server/v3"); got != "etcd" {
		t.Errorf("got %s", got)
	}
	if got := goBuildName("go.etcd.io/etcd/server/v3"); got != "server" {
		t.Errorf("got %s", got)
	}
}
