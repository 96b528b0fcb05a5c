//go:build linux

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestMountsUnder(t *testing.T) {
	mounts, err := parseMounts(`22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / ` + clusterDir + `/kubelet/pods/a/volumes/token rw shared:5 master:1 - tmpfs tmpfs rw
31 22 0:27 / ` + clusterDir + `/kubelet/pods/a\040b rw - tmpfs tmpfs rw
32 22 0:28 / ` + clusterDir + `-of-another rw - tmpfs tmpfs rw
33 31 0:29 / ` + clusterDir + `/kubelet/pods/a\040b/deeper rw - overlay overlay rw
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		clusterDir + "/kubelet/pods/a b/deeper",
		clusterDir + "/kubelet/pods/a b",
		clusterDir + "/kubelet/pods/a/volumes/token",
	}
	if got := mountsUnder(mounts, clusterDir); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if mounts[1].fsType != "tmpfs" {
		t.Errorf("optional fields confuse the file system type: %q", mounts[1].fsType)
	}
}

func TestParseTablesTakesOnlyOurs(t *testing.T) {
	got := parseTables("table ip filter\ntable ip kube-proxy\ntable inet kube-proxy-of-mine\ntable inet " + nftFence + "\n")
	want := [][]string{{"ip", "kube-proxy"}, {"inet", nftFence}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestRemoveLogLinksLeavesOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "containers")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"ours": clusterDir + "/pod-logs/x", "other": "/var/log/pods/x"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeLogLinks(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "other" {
		t.Fatalf("left %v, error %v", left, err)
	}
	if err := os.Remove(filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	if err := removeLogLinks(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the empty folder stays")
	}
}
