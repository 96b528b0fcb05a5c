package podnetwork

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The runtime's default filter leaves to a container with SYS_ADMIN, as this one was, the system calls that it denies others: by a user
// namespace of their own these would be of use without any capability. So they are denied again.
var denied = []uint32{
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_FSCONFIG, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_BY_HANDLE_AT,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_QUOTACTL, unix.SYS_SWAPON, unix.SYS_REBOOT,
}

// newNamespaces are the flags by which clone makes namespaces.
const newNamespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

var auditArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// Offsets in what a filter is given, struct seccomp_data of a little-endian machine.
const (
	offsetNumber   = 0
	offsetArch     = 4
	offsetFirstArg = 16
)

// denySyscalls filters the system calls of this thread, and of what it becomes.
func denySyscalls() error {
	arch, known := auditArch[runtime.GOARCH]
	if !known {
		return fmt.Errorf("filtering system calls: not known how on %s", runtime.GOARCH)
	}
	filter := filterFor(arch)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("filtering system calls: %w", err)
	}
	return nil
}

func filterFor(arch uint32) []unix.SockFilter {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atMost = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		anyOf  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		end    = unix.BPF_RET | unix.BPF_K

		deny     = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		isAbsent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		otherABI = 0x40000000 // x32's numbers on amd64; no number of arm64's
	)
	filter := []unix.SockFilter{
		{Code: load, K: offsetArch}, {Code: equal, K: arch, Jt: 1}, {Code: end, K: deny},
		{Code: load, K: offsetNumber}, {Code: atMost, K: otherABI, Jf: 1}, {Code: end, K: deny},
	}
	for _, number := range denied {
		filter = append(filter, unix.SockFilter{Code: equal, K: number, Jf: 1}, unix.SockFilter{Code: end, K: deny})
	}
	return append(filter,
		unix.SockFilter{Code: equal, K: unix.SYS_CLONE3, Jf: 1}, unix.SockFilter{Code: end, K: isAbsent}, // its flags are in memory: clone is used instead
		unix.SockFilter{Code: equal, K: unix.SYS_CLONE, Jf: 3}, unix.SockFilter{Code: load, K: offsetFirstArg},
		unix.SockFilter{Code: anyOf, K: newNamespaces, Jf: 1}, unix.SockFilter{Code: end, K: deny},
		unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW},
	)
}
