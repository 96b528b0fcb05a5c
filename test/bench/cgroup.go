package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryCgroups is where Linux has the memory controller of cgroup v1. In cgroup v2 the same are the files memory.max, memory.peak, and max
// and oom_kill in memory.events of any cgroup.
const memoryCgroups = "/sys/fs/cgroup/memory"

// runInCgroup has a shell join a cgroup, copy a program and become that copy: so all that the program takes is charged to the cgroup, with
// the file that it is, as in a container that is the first of its image on a node.
const runInCgroup = `echo $$ > "$1/cgroup.procs" && cp "$2" "$3" && sync "$3" && shift 2 && exec "$@"`

// cgroup is a memory cgroup of one process.
type cgroup struct{ dir string }

// charged is what a process has taken of its cgroup's memory, as the kernel counts it: with its pages of files and what the kernel holds
// for it.
type charged struct {
	Limit  int64 `json:"limit"`
	Peak   int64 `json:"peak"`
	Anon   int64 `json:"anonymous"` // now: what cannot be given back
	File   int64 `json:"file"`      // now: pages of files, which are taken back before anything is killed
	AtTop  int64 `json:"reached_limit"`
	Killed int64 `json:"oom_kills"`
}

// newCgroup makes a cgroup with a limit, for which it takes root.
func newCgroup(name string, limit int64) (*cgroup, error) {
	c := &cgroup{filepath.Join(memoryCgroups, fmt.Sprintf("debugsession-bench-%d-%s", os.Getpid(), name))}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		return nil, fmt.Errorf("-limit takes root and the memory controller of cgroup v1: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "memory.limit_in_bytes"), []byte(strconv.FormatInt(limit, 10)), 0o644); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

// remove takes the cgroup away, when its process has ended.
func (c *cgroup) remove() error { return os.Remove(c.dir) }

// charged reads what the cgroup's process has taken.
func (c *cgroup) charged() (*charged, error) {
	var is charged
	var failed []error
	for _, one := range []struct {
		into       *int64
		file, name string
	}{
		{&is.Limit, "memory.limit_in_bytes", ""},
		{&is.Peak, "memory.max_usage_in_bytes", ""},
		{&is.AtTop, "memory.failcnt", ""},
		{&is.Anon, "memory.stat", "rss"},
		{&is.File, "memory.stat", "cache"},
		{&is.Killed, "memory.oom_control", "oom_kill"},
	} {
		content, err := os.ReadFile(filepath.Join(c.dir, one.file))
		if err == nil && one.name == "" {
			*one.into, err = strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
		} else if err == nil {
			var value float64
			value, err = field(string(content), one.name)
			*one.into = int64(value)
		}
		failed = append(failed, err)
	}
	return &is, errors.Join(failed...)
}
