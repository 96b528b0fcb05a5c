//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// capSysResource is the number of CAP_SYS_RESOURCE in a capability mask.
const capSysResource = 24

// preflight finds out in a moment whether this machine can run a node, by doing
// what a node does. Its errors carry exitCannotRun.
func preflight() error {
	if os.Geteuid() != 0 {
		return cannotRun("a Kubernetes node needs root: run this as root")
	}
	for _, try := range []struct {
		what string
		do   func() error
	}{
		{"mount a file system", tryMount},
		{"make a cgroup", tryCgroup},
		{"make a network bridge", tryBridge},
		{"use overlay file systems", tryOverlay},
		{"read /dev/kmsg, which the kubelet watches", tryKmsg},
	} {
		if err := try.do(); err != nil {
			return cannotRun("a Kubernetes node cannot run here: root may not %s: %v", try.what, err)
		}
	}
	return nil
}

func tryMount() error {
	dir, err := os.MkdirTemp("", "mount-check-")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	return syscall.Unmount(dir, syscall.MNT_DETACH)
}

func tryCgroup() error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	if len(hierarchies) == 0 {
		return errors.New("no cgroup file system is mounted")
	}
	for _, hierarchy := range hierarchies {
		dir := filepath.Join(hierarchy, fmt.Sprintf("%s-check-%d", cgroupName, os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := os.Remove(dir); err != nil {
			return err
		}
	}
	return nil
}

// tryBridge uses the kernel's old calls for it: the ip command may not be
// installed yet.
func tryBridge() error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	const addBridge, deleteBridge = 0x89a0, 0x89a1 // SIOCBRADDBR, SIOCBRDELBR
	name, err := syscall.BytePtrFromString(fmt.Sprintf("dscheck%d", os.Getpid()))
	if err != nil {
		return err
	}
	for _, request := range []uintptr{addBridge, deleteBridge} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), request, uintptr(unsafe.Pointer(name))); errno != 0 {
			return errno
		}
	}
	return nil
}

func tryOverlay() error {
	known, err := os.ReadFile("/proc/filesystems")
	if err == nil && !strings.Contains(string(known), "\toverlay\n") {
		err = runQuiet(context.Background(), "modprobe", "overlay")
	}
	return err
}

func tryKmsg() error {
	file, err := os.Open("/dev/kmsg")
	if err != nil {
		return err
	}
	return file.Close()
}

// hasCapability reads this process's effective capabilities. Unknown counts as
// having it: what needs it then fails with a message of its own.
func hasCapability(number uint) bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "CapEff:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err != nil || bits&(1<<number) != 0
		}
	}
	return true
}
