package podnetwork

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStartTime(t *testing.T) {
	const after = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for _, name := range []string{"(sh)", "(a (b) c)", "(1 S 2 3)"} {
		if got, err := startTime("7 " + name + after); err != nil || got != 4711 {
			t.Errorf("%s was started at %d: %v", name, got, err)
		}
	}
	if _, err := startTime("7 (sh) S 1"); err == nil {
		t.Error("a status that ends early is accepted")
	}
}

// processes are folders as those of /proc.
func processes(t *testing.T, all map[string][3]string) string {
	t.Helper()
	root := t.TempDir()
	for pid, p := range all {
		if err := os.MkdirAll(filepath.Join(root, pid, "ns"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{
			"cgroup": "0::/kubepods/" + p[0] + "/0123\n", "stat": pid + " (x) S" + strings.Repeat(" 0", 18) + " " + p[1] + " 0", "ns/net": p[2],
		} {
			if err := os.WriteFile(filepath.Join(root, pid, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestFindNetwork(t *testing.T) {
	root := processes(t, map[string][3]string{
		"1": {"system", "1", "node"}, "30": {"pod" + uid, "200", "nested"}, "40": {"pod" + uid, "100", "pod"}, "50": {"podother", "50", "other"},
	})
	if err := os.Mkdir(filepath.Join(root, "60"), 0o755); err != nil { // it has ended
		t.Fatal(err)
	}
	found, err := findNetwork(root, uid)
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 8)
	n, err := found.Read(content)
	if string(content[:n]) != "pod" {
		t.Errorf("found the namespace %q, want that of the pod's oldest process (%v)", content[:n], err)
	}
	if _, err := findNetwork(root, "07e40000-0000-4000-8000-000000000002"); err == nil || !strings.Contains(err.Error(), "no process on this node") {
		t.Errorf("a pod that is not there: %v", err)
	}
}

func TestFindNetworkRefusesTheNodes(t *testing.T) {
	root := processes(t, map[string][3]string{"1": {"system", "1", "node"}, "30": {"pod" + uid, "200", ""}})
	if err := os.Remove(filepath.Join(root, "30/ns/net")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(root, "1/ns/net"), filepath.Join(root, "30/ns/net")); err != nil {
		t.Fatal(err)
	}
	if _, err := findNetwork(root, uid); err == nil || !strings.Contains(err.Error(), "it has the node's network") {
		t.Errorf("the node's network: %v", err)
	}
}

func TestCheckAddress(t *testing.T) {
	if err := (&entry{addresses: []string{"192.0.2.1", "127.0.0.1"}}).checkAddress(); err != nil {
		t.Error(err)
	}
	if err := (&entry{addresses: []string{"192.0.2.1"}}).checkAddress(); err == nil || !strings.Contains(err.Error(), "the pod had 192.0.2.1") {
		t.Errorf("the network of another pod: %v", err)
	}
}

// outcome is what the kernel does with a filter and a system call.
func outcome(filter []unix.SockFilter, arch, number, firstArg uint32) uint32 {
	var a uint32
	data := map[uint32]uint32{offsetNumber: number, offsetArch: arch, offsetFirstArg: firstArg}
	for i := 0; ; i++ {
		op := filter[i]
		jump := func(is bool) {
			if is {
				i += int(op.Jt)
			} else {
				i += int(op.Jf)
			}
		}
		switch op.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = data[op.K]
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == op.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= op.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump(a&op.K != 0)
		case unix.BPF_RET | unix.BPF_K:
			return op.K
		}
	}
}

func TestFilter(t *testing.T) {
	const arch, thread = unix.AUDIT_ARCH_X86_64, unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD
	filter := filterFor(arch)
	const deny = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	for _, number := range denied {
		if got := outcome(filter, arch, number, 0); got != deny {
			t.Errorf("system call %d: %#x", number, got)
		}
	}
	for name, test := range map[string]struct{ arch, number, arg, want uint32 }{
		"what a capture takes":     {arch, unix.SYS_SOCKET, unix.AF_PACKET, unix.SECCOMP_RET_ALLOW},
		"reading":                  {arch, unix.SYS_READ, 0, unix.SECCOMP_RET_ALLOW},
		"running a program":        {arch, unix.SYS_EXECVE, 0, unix.SECCOMP_RET_ALLOW},
		"a thread":                 {arch, unix.SYS_CLONE, thread, unix.SECCOMP_RET_ALLOW},
		"a process":                {arch, unix.SYS_CLONE, uint32(unix.SIGCHLD), unix.SECCOMP_RET_ALLOW},
		"a user namespace":         {arch, unix.SYS_CLONE, unix.CLONE_NEWUSER, deny},
		"a thread of a namespace":  {arch, unix.SYS_CLONE, thread | unix.CLONE_NEWNET, deny},
		"what cannot be looked at": {arch, unix.SYS_CLONE3, 0, unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		"another machine's call":   {unix.AUDIT_ARCH_I386, unix.SYS_READ, 0, deny},
		"x32's":                    {arch, unix.SYS_READ | 0x40000000, 0, deny},
	} {
		if got := outcome(filter, test.arch, test.number, test.arg); got != test.want {
			t.Errorf("%s: %#x, want %#x", name, got, test.want)
		}
	}
}
