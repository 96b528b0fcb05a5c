package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// markerVariable is in the environment of every debugger of the faults, and so of whatever it starts: also of a process that
// was double-forked or left its session. Its value is the session's namespace and name.
const markerVariable = "DEBUGSESSION_CHAOS"

// process is a process of one of the cluster's pods, as the node sees it.
type process struct {
	pid       int
	podUID    string
	container string // its id
	marker    string // whose debugger it is, or empty
}

// key is what the process is counted under: a debugger's session, or else its pod.
func (p *process) key() string {
	if p.marker != "" {
		return p.marker
	}
	return podKey(p.podUID)
}

func podKey(uid string) string { return "pod " + uid }

// presence is since when and until when there were processes of a key.
type presence struct {
	first, last time.Time
	// gone is when the first look that found none of them was over; zero while there are any.
	gone time.Time
}

// node looks at the processes of pods again and again. It asks neither the kubelet nor the API server.
type node struct {
	mu    sync.Mutex
	known map[int]*process // by pid; nil for one that is in no pod
	seen  map[string]*presence
	looks int
}

func newNode() *node {
	return &node{known: map[int]*process{}, seen: map[string]*presence{}}
}

// watch looks ten times a second, or down to twice if looking is so much work that it would slow down what it looks at.
func (n *node) watch(ctx context.Context) {
	for ctx.Err() == nil {
		begun := time.Now()
		n.look()
		pause := min(max(100*time.Millisecond, 10*time.Since(begun)), 500*time.Millisecond)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// look updates what is known by one walk through /proc, and returns the live processes of pods.
func (n *node) look() []process {
	n.mu.Lock()
	defer n.mu.Unlock()
	begun := time.Now()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var live []process
	there := map[int]bool{}
	keys := map[string]bool{}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		there[pid] = true
		p := n.identify(pid)
		if p == nil || !alive(pid) {
			continue
		}
		live = append(live, *p)
		keys[p.key()] = true
	}
	for pid := range n.known {
		if !there[pid] {
			delete(n.known, pid)
		}
	}
	n.count(keys, begun)
	return live
}

func (n *node) count(keys map[string]bool, begun time.Time) {
	now := time.Now()
	n.looks++
	for key := range keys {
		if n.seen[key] == nil {
			n.seen[key] = &presence{first: begun}
		}
		n.seen[key].last, n.seen[key].gone = begun, time.Time{}
	}
	for key, presence := range n.seen {
		if !keys[key] && presence.gone.IsZero() {
			presence.gone = now
		}
	}
}

// identify says whose process it is. That does not change in a process's life, so it is found out once; but for a process
// that the runtime is only now making into one of a container's.
func (n *node) identify(pid int) *process {
	if p, known := n.known[pid]; known {
		return p
	}
	p, final := readProcess(pid)
	if final {
		n.known[pid] = p
	}
	return p
}

var podCgroup = regexp.MustCompile(`/pod([0-9a-f-]{36})(?:/([0-9a-f]{64}))?`)

// readProcess reads a process's cgroup and environment. The pause containers do not count: they are the pod's, not a
// program's.
func readProcess(pid int) (p *process, final bool) {
	cgroup, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, false
	}
	at := podCgroup.FindSubmatch(cgroup)
	if at == nil {
		// The runtime's own processes enter a container's cgroup later than they begin.
		name := comm(pid)
		return nil, !strings.HasPrefix(name, "runc") && name != "exe"
	}
	name := comm(pid)
	if name == "pause" {
		return nil, true
	}
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	p = &process{pid: pid, podUID: string(at[1]), container: string(at[2]), marker: markerIn(environment)}
	return p, err == nil && len(environment) > 0 && !strings.HasPrefix(name, "runc")
}

func comm(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // of one that is gone: none
	return string(bytes.TrimSpace(name))
}

func markerIn(environment []byte) string {
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if value, ok := bytes.CutPrefix(variable, []byte(markerVariable+"=")); ok {
			return string(value)
		}
	}
	return ""
}

// alive is false for what has ended, also if nobody has reaped it yet.
func alive(pid int) bool {
	state, _ := stat(pid)
	return state != 0 && state != 'Z' && state != 'X'
}

// stat returns a process's state and parent; a state of 0 if there is none.
func stat(pid int) (state byte, parent int) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// PID (NAME) STATE PARENT …, where NAME may hold spaces and brackets.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	if len(fields) < 2 {
		return 0, 0
	}
	parent, err = strconv.Atoi(fields[1])
	if err != nil {
		return 0, 0
	}
	return fields[0][0], parent
}

// zombies are the unreaped dead whose parent is this process.
func zombies(of int) []int {
	var dead []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if state, parent := stat(pid); state == 'Z' && parent == of {
			dead = append(dead, pid)
		}
	}
	return dead
}

// of returns when there were processes of any of the keys; ok is false if there never were. A key is not gone before a
// look after now has found none.
func (n *node) of(keys ...string) (p presence, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, key := range keys {
		seen := n.seen[key]
		if seen == nil {
			continue
		}
		if !ok {
			p, ok = *seen, true
			continue
		}
		p = p.and(seen)
	}
	return p, ok
}

// and is since when and until when either was there.
func (p presence) and(other *presence) presence {
	if other.first.Before(p.first) {
		p.first = other.first
	}
	if other.last.After(p.last) {
		p.last = other.last
	}
	if other.gone.IsZero() || p.gone.IsZero() {
		p.gone = time.Time{}
	} else if other.gone.After(p.gone) {
		p.gone = other.gone
	}
	return p
}

// inPod are the live processes of a pod.
func (n *node) inPod(uid string) []process {
	var found []process
	for _, p := range n.look() {
		if p.podUID == uid {
			found = append(found, p)
		}
	}
	return found
}
