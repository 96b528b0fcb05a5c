package podnetwork

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"debugsession.dev/operator/internal/debugpod"
)

const nodeProcesses = debugpod.NetworkFolder + "/" + debugpod.NodeProcesses

// enter becomes the command, in the pod's network and without the privileges that it takes to get there. It returns only if it could not.
func (e *entry) enter() error {
	// Namespaces, capabilities and filters are a thread's own. The command is started by this one, and has what this one has.
	runtime.LockOSThread()
	namespace, err := findNetwork(nodeProcesses, e.podUID)
	if err != nil {
		return err
	}
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("setns: %w", err)
	}
	if err := namespace.Close(); err != nil {
		return err
	}
	if err := e.checkAddress(); err != nil {
		return err
	}
	if err := unix.Unmount(nodeProcesses, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmounting the node's processes: %w", err)
	}
	if err := dropPrivileges(e.keep); err != nil {
		return err
	}
	path, err := exec.LookPath(e.command[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("running %s: %w", path, syscall.Exec(path, e.command, os.Environ()))
}

// findNetwork opens the network namespace of a pod, by the oldest of its processes: that which holds the namespace, or a container's first. It
// refuses the node's own, which is that of the oldest process outside of pods that can be looked at: on most nodes the first of all.
func findNetwork(processes, podUID string) (*os.File, error) {
	pod, node, err := oldest(processes, podUID)
	if err != nil {
		return nil, err
	}
	defer pod.close()
	defer node.close()
	switch {
	case pod == nil:
		return nil, errors.New("it has no process on this node: the pod has ended, or is not run by this node's kubelet in cgroups of its own")
	case node == nil:
		return nil, errors.New("no process of the node can be looked at, so its network cannot be told from the node's")
	}
	namespace, err := pod.open(networkFile)
	if err != nil {
		return nil, fmt.Errorf("opening its network namespace: %w", err)
	}
	if same, err := node.hasNetwork(namespace); same || err != nil {
		if same {
			err = errors.New("it has the node's network")
		}
		return nil, errors.Join(err, namespace.Close())
	}
	return namespace, nil
}

const networkFile = "ns/net"

// oldest finds the oldest process of the pod, and the oldest that is in no pod, whose network can be looked at; nil if there is none.
func oldest(processes, podUID string) (pod, node *process, err error) {
	entries, err := os.ReadDir(processes)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		p, err := openProcess(filepath.Join(processes, entry.Name()))
		switch {
		case err != nil: // it has ended meanwhile
			p.close()
		case p.pod == podUID && (pod == nil || p.started < pod.started):
			pod.close()
			pod = p
		case p.pod == "" && (node == nil || p.started < node.started) && p.canBeLookedAt():
			node.close()
			node = p
		default:
			p.close()
		}
	}
	return pod, node, nil
}

// process is a process of the node, opened: what is read of it is of that process, and not of one that has got its number since.
type process struct {
	folder  *os.File
	pod     string
	started uint64
}

func openProcess(path string) (*process, error) {
	folder, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p := &process{folder: folder}
	cgroups, err := p.read("cgroup")
	if err != nil {
		return p, err
	}
	stat, err := p.read("stat")
	if err != nil {
		return p, err
	}
	p.pod = podOf(cgroups)
	p.started, err = startTime(stat)
	return p, err
}

// startTime is when a process was started, in the kernel's ticks. The name of its program may have spaces and brackets.
func startTime(stat string) (uint64, error) {
	const afterName = 22 - 3 // starttime is the 22nd field, and the name the second
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= afterName {
		return 0, fmt.Errorf("cannot read the process status %q", stat)
	}
	return strconv.ParseUint(fields[afterName], 10, 64)
}

func (p *process) open(name string) (*os.File, error) {
	fd, err := unix.Openat(int(p.folder.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (p *process) read(name string) (string, error) {
	file, err := p.open(name)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(file)
	return string(data), errors.Join(err, file.Close())
}

// hasNetwork reports whether it is in that network.
func (p *process) hasNetwork(namespace *os.File) (bool, error) {
	own, err := p.open(networkFile)
	if err != nil {
		return false, fmt.Errorf("looking at the node's network namespace: %w", err)
	}
	defer own.Close()
	its, err := own.Stat()
	if err != nil {
		return false, err
	}
	other, err := namespace.Stat()
	return err == nil && os.SameFile(its, other), err
}

func (p *process) canBeLookedAt() bool {
	file, err := p.open(networkFile)
	if err != nil {
		return false
	}
	return file.Close() == nil
}

func (p *process) close() {
	if p != nil {
		_ = p.folder.Close()
	}
}

// checkAddress sees that this is the network of the pod that was approved: it has an address of the pod.
func (e *entry) checkAddress() error {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("reading the addresses of its network: %w", err)
	}
	for _, address := range addresses {
		if prefix, ok := address.(*net.IPNet); ok && slices.ContainsFunc(e.addresses, func(a string) bool { return prefix.IP.Equal(net.ParseIP(a)) }) {
			return nil
		}
	}
	return fmt.Errorf("the network that was found has %v, and the pod had %s", addresses, strings.Join(e.addresses, ", "))
}

// maxCapabilities is how many a set of them has room for.
const maxCapabilities = 64

// dropPrivileges leaves the thread, and what it becomes, with the capabilities that are kept, and without a way to others.
func dropPrivileges(keep []string) error {
	var kept uint64
	for _, name := range keep {
		kept |= 1 << keepable[name]
	}
	for capability := range maxCapabilities {
		if kept&(1<<capability) != 0 {
			continue
		}
		// The kernel may know fewer, or more than this program's headers.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(capability), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("dropping capability %d: %w", capability, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clearing the ambient capabilities: %w", err)
	}
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: uint32(kept), Permitted: uint32(kept)}}
	if err := unix.Capset(header, &data[0]); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	return denySyscalls()
}
