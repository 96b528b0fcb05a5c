package podnetwork

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const uid = "90d00000-0000-4000-8000-000000000001"

func TestPodOf(t *testing.T) {
	const other = "07e40000-0000-4000-8000-000000000002"
	underscored := strings.ReplaceAll(uid, "-", "_")
	for name, test := range map[string]struct{ cgroups, want string }{
		"cgroup v2, systemd":                {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + underscored + ".slice/cri-containerd-0123.scope\n", uid},
		"guaranteed":                        {"0::/kubepods.slice/kubepods-pod" + underscored + ".slice/cri-containerd-0123.scope\n", uid},
		"in kind":                           {"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + underscored + ".slice/x.scope\n", uid},
		"cgroup v2, cgroupfs":               {"0::/kubepods/besteffort/pod" + uid + "/0123\n", uid},
		"seen from another pod's namespace": {"0::/../../../burstable/pod" + uid + "/0123\n", uid},
		"cgroup v1":                         {"12:pids:/kubepods/pod" + uid + "/0123\n11:memory:/kubepods/pod" + uid + "/0123\n1:name=systemd:/init\n", uid},
		"a node's process":                  {"0::/system.slice/kubelet.service\n", ""},
		"itself":                            {"0::/\n", ""},
		"a pod that calls its cgroup so":    {"0::/kubepods/pod" + other + "/0123/pod" + uid + "\n", other},
		"two pods in two hierarchies":       {"2:pids:/kubepods/pod" + other + "/0\n1:memory:/kubepods/pod" + uid + "/0\n", ""},
		"a slice that only looks like one":  {"0::/kubepods.slice/pod" + uid + "x.slice\n", ""},
		"a static pod, whose UID is a hash": {"0::/kubepods/pod0123456789abcdef0123456789abcdef/0123\n", ""},
		"no cgroup file":                    {"nonsense", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := podOf(test.cgroups); got != test.want {
				t.Errorf("podOf = %q, want %q", got, test.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	wanted, err := parse([]string{"--pod-uid=" + uid, "--address=10.0.0.1", "--address=fd00::1", "--keep=NET_RAW", "--", "tcpdump", "--keep=NET_ADMIN"})
	if err != nil {
		t.Fatal(err)
	}
	if wanted.podUID != uid || !slices.Equal(wanted.addresses, []string{"10.0.0.1", "fd00::1"}) || !slices.Equal(wanted.keep, []string{"NET_RAW"}) ||
		!slices.Equal(wanted.command, []string{"tcpdump", "--keep=NET_ADMIN"}) {
		t.Errorf("parsed %+v", wanted)
	}
	for _, args := range [][]string{
		nil,
		{"--pod-uid=" + uid, "--", "sh"},
		{"--address=10.0.0.1", "--", "sh"},
		{"--pod-uid=" + uid, "--address=10.0.0.1"},
		{"--pod-uid=" + uid, "--address=10.0.0.1", "--keep=SYS_ADMIN", "--", "sh"},
		{"--pod-uid=" + uid, "--address=10.0.0.1", "--drop", "--", "sh"},
	} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestInstall(t *testing.T) {
	folder := t.TempDir()
	for range 2 { // an init container may be run again
		if err := install(folder); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(folder, "manager"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("installed %d bytes of %d: %v", len(got), len(want), err)
	}
	if entries, err := os.ReadDir(filepath.Join(folder, "node-processes")); err != nil || len(entries) > 0 {
		t.Errorf("no empty folder for the node's processes: %v, %v", entries, err)
	}
}
