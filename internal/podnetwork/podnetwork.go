// Package podnetwork brings a debugger into a pod's network, and into nothing else: the program that a debugger's container runs first, with
// the privileges that this takes, and which gives all of them up before it becomes the debugger's command.
//
// The law:
//
//   - Nothing of the debugger's image runs before the privileges are gone. This program is linked statically, and comes from the operator's
//     image by a volume that nothing else mounts for writing.
//   - The pod is found by its UID in its processes' cgroups, which nobody but the kubelet chooses, and the namespace entered must have the
//     pod's address. It must not be the node's.
//   - Whatever cannot be done ends the program. There is no second way.
//   - What is left to the command: the capabilities that its profile keeps, over the one network namespace; none over anything else, and no way
//     to get any (no_new_privs, the bounding set, a seccomp filter). The node's processes, by which the pod was found, are not mounted any more.
package podnetwork

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"debugsession.dev/operator/internal/debugpod"
)

// Is reports whether a command of the operator's binary is one of this package.
func Is(command string) bool {
	return command == debugpod.NetworkInstall || command == debugpod.NetworkEnter
}

// Main does what the arguments say: install copies this program into a folder, enter becomes a command in a pod's network. It returns the exit
// code, and leaves word of what was wrong on stderr, and where the kubelet looks for it.
func Main(args []string, stderr io.Writer) int {
	err := run(args)
	if err == nil {
		return 0
	}
	message := debugpod.MessagePrefix + err.Error() + "\n"
	fmt.Fprint(stderr, message)
	if err := os.WriteFile(terminationLog, []byte(message), 0o600); err != nil {
		fmt.Fprintln(stderr, err)
	}
	return debugpod.ExitUnable
}

const terminationLog = "/dev/termination-log"

func run(args []string) error {
	if args[0] == debugpod.NetworkInstall {
		if len(args) != 2 {
			return fmt.Errorf("usage: %s FOLDER", debugpod.NetworkInstall)
		}
		return install(args[1])
	}
	wanted, err := parse(args[1:])
	if err != nil {
		return err
	}
	return fmt.Errorf("cannot be in the network of the pod with UID %s: %w", wanted.podUID, wanted.enter())
}

// entry is what is entered, and what is run there.
type entry struct {
	podUID    string
	addresses []string
	keep      []string
	command   []string
}

func parse(args []string) (*entry, error) {
	wanted := &entry{}
	flags := flag.NewFlagSet(debugpod.NetworkEnter, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	add := func(to *[]string) func(string) error {
		return func(value string) error { *to = append(*to, value); return nil }
	}
	flags.StringVar(&wanted.podUID, "pod-uid", "", "The UID of the pod.")
	flags.Func("address", "An address of the pod.", add(&wanted.addresses))
	flags.Func("keep", "A capability that the command has.", add(&wanted.keep))
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	wanted.command = flags.Args()
	if wanted.podUID == "" || len(wanted.addresses) == 0 || len(wanted.command) == 0 {
		return nil, errors.New("--pod-uid, --address and a command are needed")
	}
	for _, name := range wanted.keep {
		if _, known := keepable[name]; !known {
			return nil, fmt.Errorf("capability %q cannot be kept", name)
		}
	}
	return wanted, nil
}

// keepable are the capabilities that a command can be left with, by their numbers in the kernel.
var keepable = map[string]int{"NET_ADMIN": 12, "NET_RAW": 13}

// install copies this program into the folder, and makes room there for the node's processes.
func install(folder string) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Mkdir(debugpod.NodeProcesses, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	copied, err := root.OpenFile(debugpod.NetworkProgram, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755) // another user runs it
	if err != nil {
		return err
	}
	_, err = io.Copy(copied, from)
	return errors.Join(err, copied.Close())
}

// podOf is the UID of the pod that a process belongs to, as its cgroup file tells; empty if it tells none. The first part of a path that
// names a pod is what the kubelet has made: what a pod makes in its own cgroup comes after that.
func podOf(cgroups string) string {
	found := ""
	for line := range strings.Lines(cgroups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		components := strings.Split(parts[2], "/")
		at := slices.IndexFunc(components, func(c string) bool { return podComponent(c) != "" })
		if at < 0 {
			continue
		}
		uid := podComponent(components[at])
		if found != "" && uid != found {
			return "" // of two pods, in two hierarchies: of neither
		}
		found = uid
	}
	return found
}

// podComponent is the UID of the pod that a part of a cgroup's path stands for: podUID as the kubelet's cgroupfs driver has it, or
// kubepods-burstable-podUID.slice with _ for - as its systemd driver does.
func podComponent(component string) string {
	name, slice := strings.CutSuffix(component, ".slice")
	if slice {
		name = name[strings.LastIndexByte(name, '-')+1:]
	}
	uid, isPod := strings.CutPrefix(name, "pod")
	if slice {
		uid = strings.ReplaceAll(uid, "_", "-")
	}
	const uuidLength = 36
	if !isPod || len(uid) != uuidLength {
		return ""
	}
	return uid
}
