//go:build linux

package main

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestParseStatWithAnAwkwardCommandName(t *testing.T) {
	stat := "4242 (a) b (c d) S 1 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 10 18446744073709551615"
	state, start, err := parseStat([]byte(stat))
	if err != nil || state != 'S' || start != 987654 {
		t.Fatalf("got state %q, start %d, error %v", state, start, err)
	}
	if _, _, err := parseStat([]byte("4242 (x) S 1")); err == nil {
		t.Error("a truncated line was accepted")
	}
}

func startSleep(t *testing.T) (*exec.Cmd, identity) {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	id, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, id
}

// A recycled pid has another start time, or comes from another boot. Stopping
// the old identity must not touch the process that has the pid now.
func TestStopLeavesARecycledPidAlone(t *testing.T) {
	_, id := startSleep(t)
	earlier, otherBoot := id, id
	earlier.Start--
	otherBoot.BootID = "00000000-0000-0000-0000-000000000000"
	for name, stale := range map[string]identity{"another start": earlier, "another boot": otherBoot} {
		if stale.alive() {
			t.Errorf("%s: counts as the same process", name)
		}
		if err := stale.stop(syscall.SIGKILL, time.Second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !id.alive() {
		t.Fatal("the process that has the pid now was stopped")
	}
}

func TestStopGoesFromTermToKill(t *testing.T) {
	cmd := exec.Command("sh", "-c", "trap '' TERM; echo; while :; do sleep 60; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil { // the trap is set
		t.Fatal(err)
	}
	id, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.stop(syscall.SIGTERM, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	// Nobody has waited for it yet: a zombie, which counts as ended.
	if id.alive() {
		t.Error("a zombie counts as alive")
	}
}

func TestHasMarker(t *testing.T) {
	for environment, want := range map[string]bool{
		"PATH=/bin\x00" + markerVariable + "=etcd\x00": true,
		"PATH=/bin\x00":                        false,
		"NOTE=" + markerVariable + "=etcd\x00": false,
	} {
		if got := hasMarker([]byte(environment)); got != want {
			t.Errorf("%q: got %v", environment, got)
		}
	}
}
