//go:build linux

package deadline

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// process is a process as seen from outside of all containers.
type process struct {
	pid, parent       int
	group, foreground int // its process group, and the one that has its terminal
	state             byte
	name              string
}

func readProcess(pid int) (process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	opened, closed := strings.IndexByte(string(stat), '('), strings.LastIndexByte(string(stat), ')')
	fields := strings.Fields(string(stat[closed+1:]))
	p := process{pid: pid, state: fields[0][0], name: string(stat[opened+1 : closed])}
	for field, value := range map[int]*int{1: &p.parent, 2: &p.group, 5: &p.foreground} {
		if *value, err = strconv.Atoi(fields[field]); err != nil {
			return p, err
		}
	}
	return p, nil
}

// all processes that can be read.
func all() []process {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// children of a process, of one name or of any.
func children(parent int, name string) []process {
	var found []process
	for _, p := range all() {
		if p.parent == parent && (name == "" || p.name == name) {
			found = append(found, p)
		}
	}
	return found
}

// processes are the container's live ones: those in its mount namespace.
func (c *container) processes() []process {
	var found []process
	for _, p := range all() {
		mounts, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", p.pid))
		if err == nil && mounts == c.mounts {
			found = append(found, p)
		}
	}
	return found
}

// named waits until the container has so many live processes of that name, and returns them.
func (c *container) named(name string, count int) []process {
	c.t.Helper()
	var found []process
	eventually(c.t, func() error {
		found = nil
		for _, p := range c.processes() {
			if p.name == name {
				found = append(found, p)
			}
		}
		if len(found) != count {
			return fmt.Errorf("%d processes %s, want %d; all: %v; printed:\n%s", len(found), name, count, c.processes(), c.output.String())
		}
		return nil
	})
	return found
}

// in tells whether the process has the target's mount namespace.
func (p process) in(g *target) bool {
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", p.pid))
	theirs, gone := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", g.pid))
	return err == nil && gone == nil && own == theirs
}

// command is the debugger's command: the wrapper's child that is not the watchdog, which has a sleeping child.
func (c *container) command() process {
	c.t.Helper()
	var found []process
	eventually(c.t, func() error {
		found = nil
		watchdog := c.named("sleep", 1)[0].parent
		for _, p := range children(c.cmd.Process.Pid, "") {
			if p.pid != watchdog {
				found = append(found, p)
			}
		}
		if len(found) != 1 {
			return fmt.Errorf("%d commands: %v", len(found), found)
		}
		return nil
	})
	return found[0]
}

// link puts one tool of a shell's image into a folder.
func link(t *testing.T, shell, folder, tool string) {
	t.Helper()
	for _, from := range filepath.SplitList(shells[shell]) {
		program, err := filepath.EvalSymlinks(filepath.Join(from, tool))
		if err != nil {
			continue
		}
		if err := os.Symlink(program, filepath.Join(folder, tool)); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("%s has no %s", shell, tool)
}
