package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestMarkerIn(t *testing.T) {
	for environment, want := range map[string]string{
		"":                                  "",
		"PATH=/bin\x00HOME=/\x00":           "",
		"A=1\x00DEBUGSESSION_CHAOS=ns/hang": "ns/hang",
		"NOT_DEBUGSESSION_CHAOS=ns/hang":    "",
		"DEBUGSESSION_CHAOS=ns/a\x00B=2":    "ns/a",
		"DEBUGSESSION_CHAOSES=ns/a\x00B=2":  "",
	} {
		if got := markerIn([]byte(environment)); got != want {
			t.Errorf("in %q the marker is %q, want %q", environment, got, want)
		}
	}
}

func TestPodCgroup(t *testing.T) {
	const uid, id = "0a1b2c3d-0000-4000-8000-000000000001", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for cgroup, want := range map[string][2]string{
		"5:pids:/debugsession-cluster/kubepods/besteffort/pod" + uid + "/" + id + "\n": {uid, id},
		"0::/debugsession-cluster/kubepods/pod" + uid + "\n":                           {uid, ""},
		"0::/user.slice/podman\n": {},
	} {
		got := podCgroup.FindStringSubmatch(cgroup)
		if (len(got) == 0) != (want == [2]string{}) || len(got) == 3 && (got[1] != want[0] || got[2] != want[1]) {
			t.Errorf("of %q pod and container are %q, want %q", cgroup, got, want)
		}
	}
	if at := pidsLine.FindStringSubmatch("6:cpu:/x\n5:pids:/a/kubepods/besteffort/pod" + uid + "/" + id + "\n"); len(at) != 2 ||
		at[1] != "/a/kubepods/besteffort/pod"+uid {
		t.Errorf("the pod's cgroup is %q", at)
	}
}

func TestTheUnreapedDeadAreNotAlive(t *testing.T) {
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); alive(child.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a process that has ended counts as alive")
		}
	}
	if dead := zombies(os.Getpid()); len(dead) != 1 || dead[0] != child.Process.Pid {
		t.Errorf("zombies of this process are %d, want %d", dead, child.Process.Pid)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if dead := zombies(os.Getpid()); len(dead) != 0 {
		t.Errorf("reaped, and still a zombie: %d", dead)
	}
	if alive(child.Process.Pid) || !alive(os.Getpid()) {
		t.Error("alive is wrong of one that is gone, or of this one")
	}
}

func TestAKeyIsGoneOnceNothingOfItWasSeen(t *testing.T) {
	n := newNode()
	n.count(map[string]bool{"a": true, "b": true}, time.Now())
	if seen, ever := n.of("a", "b"); !ever || !seen.gone.IsZero() {
		t.Fatal("what is there is not gone")
	}
	n.count(map[string]bool{"b": true}, time.Now())
	if seen, _ := n.of("a"); seen.gone.IsZero() {
		t.Error("a is gone")
	}
	if seen, _ := n.of("a", "b"); !seen.gone.IsZero() {
		t.Error("b is there")
	}
	n.count(nil, time.Now())
	all, _ := n.of("a", "b")
	last, _ := n.of("b")
	if !all.gone.Equal(last.gone) || !all.first.Before(last.gone) {
		t.Error("both were gone when the last was")
	}
	n.count(map[string]bool{"a": true}, time.Now())
	if seen, _ := n.of("a"); !seen.gone.IsZero() {
		t.Error("what comes back is not gone")
	}
	if _, ever := n.of("c"); ever {
		t.Error("c never was")
	}
}
