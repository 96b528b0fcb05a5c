//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// markerVariable is in the environment of every component, and so of the shims
// that containerd starts. It finds those a crash left unrecorded.
const markerVariable = "DEBUGSESSION_CLUSTER_COMPONENT"

// identity tells a process from a later one with the same, recycled pid: by
// when it started, and in which boot of the machine.
type identity struct {
	PID    int    `json:"pid"`
	Start  uint64 `json:"startTicks"` // clock ticks after boot, from /proc/PID/stat
	BootID string `json:"bootID"`
}

// process is a component as recorded on disk: enough to stop it, and to start
// it again just as it was.
type process struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
	identity
}

// identify reads the identity of a running process.
func identify(pid int) (identity, error) {
	_, start, err := readStat(pid)
	if err != nil {
		return identity{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return identity{pid, start, strings.TrimSpace(string(boot))}, err
}

// alive reports whether this very process still runs. A zombie does not, unless threads of it are left: they hold its files, such as the
// port that it listens on.
func (id identity) alive() bool {
	now, err := identify(id.PID)
	if err != nil || now != id {
		return false
	}
	state, _, err := readStat(id.PID)
	if err != nil || state != 'Z' && state != 'X' {
		return err == nil
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", id.PID))
	return err == nil && len(threads) > 1
}

func readStat(pid int) (state byte, start uint64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(stat)
}

// parseStat reads fields 3 and 22 of /proc/PID/stat. Field 2 is the command
// name in parentheses, which may itself hold spaces and parentheses.
func parseStat(stat []byte) (state byte, start uint64, err error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) < 20 {
		return 0, 0, fmt.Errorf("unexpected /proc/PID/stat: %q", stat)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0][0], start, err
}

// launch starts a component in a session of its own, so that it outlives this
// command and gets none of its terminal's signals.
func launch(name string, argv []string) (*process, <-chan struct{}, error) {
	log, err := os.OpenFile(logPath(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = clusterDir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = componentEnvironment(name, filepath.Dir(argv[0]))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", name, err)
	}
	exited := make(chan struct{})
	id, err := identify(cmd.Process.Pid)
	go func() {
		_ = cmd.Wait() // reaps it; why it ended is in its log
		close(exited)
	}()
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name, argv, id}
	return p, exited, p.save()
}

// componentEnvironment is what every component gets, and nothing of the
// caller's: no proxy settings, no KUBECONFIG, no GODEBUG.
func componentEnvironment(name, binaries string) []string {
	return []string{
		"PATH=" + binaries + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + clusterDir,
		markerVariable + "=" + name,
	}
}

func recordPath(name string) string { return inCluster("processes", name+".json") }

// save writes the record whole or not at all.
func (p *process) save() error {
	content, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	partial := recordPath(p.Name) + ".partial"
	if err := os.WriteFile(partial, content, 0o644); err != nil {
		return err
	}
	return os.Rename(partial, recordPath(p.Name))
}

// recorded reads the record of one component; fs.ErrNotExist if there is none.
func recorded(name string) (*process, error) {
	content, err := os.ReadFile(recordPath(name))
	if err != nil {
		return nil, err
	}
	p := &process{}
	if err := json.Unmarshal(content, p); err != nil {
		return nil, fmt.Errorf("record of %s: %w", name, err)
	}
	return p, nil
}

// stop sends a signal, and SIGKILL if the process has not ended by then.
func (id identity) stop(signal syscall.Signal, patience time.Duration) error {
	if !id.alive() {
		return nil
	}
	if err := syscall.Kill(id.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	if id.endsWithin(patience) {
		return nil
	}
	if err := syscall.Kill(id.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	if !id.endsWithin(10 * time.Second) {
		return fmt.Errorf("process %d does not end even by SIGKILL", id.PID)
	}
	return nil
}

func (id identity) endsWithin(patience time.Duration) bool {
	for deadline := time.Now().Add(patience); id.alive(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// marked finds every running process that carries the marker, this one apart.
func marked() ([]identity, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []identity
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		id, err := identify(pid)
		if err != nil {
			continue // it has ended meanwhile
		}
		// Some are unreadable even to root; no component is.
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && hasMarker(environment) {
			found = append(found, id)
		}
	}
	return found, nil
}

func hasMarker(environment []byte) bool {
	for _, variable := range bytes.Split(environment, []byte{0}) {
		if bytes.HasPrefix(variable, []byte(markerVariable+"=")) {
			return true
		}
	}
	return false
}
