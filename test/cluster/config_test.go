//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestConfigsHaveNoUnfilledNames(t *testing.T) {
	for name, content := range map[string]string{
		"containerd": containerdConfig("/bin"), "kubelet": kubeletConfig(), "proxy": proxyConfig(),
		"cni": cniConfig(), "fence": fenceRules(),
	} {
		if _, after, found := strings.Cut(content, "${"); found {
			t.Errorf("%s: ${%.20s", name, after)
		}
	}
}

// A shim's socket is a SHA-256 in hex in its folder; Linux allows 107 bytes.
func TestSocketPathsFit(t *testing.T) {
	for _, path := range []string{inCluster("s", strings.Repeat("0", 64)), containerdSocket() + ".ttrpc"} {
		if len(path) > 107 {
			t.Errorf("%s has %d bytes", path, len(path))
		}
	}
}

func TestFindComponentTakesBothNames(t *testing.T) {
	for _, name := range []string{"apiserver", "kube-apiserver"} {
		if c, err := findComponent("", name); err != nil || c.name != "apiserver" {
			t.Errorf("%s: got %q, %v", name, c.name, err)
		}
	}
	if _, err := findComponent("", "coredns"); err == nil {
		t.Error("an unknown name was found")
	}
}

// Nobody but a pod needs the node's address: everything else is on loopback.
func TestComponentsListenOnThisMachineOnly(t *testing.T) {
	for _, c := range slices.Concat(startOrder("")...) {
		for _, argument := range c.argv {
			if strings.Contains(argument, "0.0.0.0") || strings.Contains(argument, "[::]") {
				t.Errorf("%s: %s", c.name, argument)
			}
		}
	}
}
