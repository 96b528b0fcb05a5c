package story

import (
	"testing"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestEndWarnings(t *testing.T) {
	ends := now.Add(30 * time.Minute)
	s := session(func(s *v1alpha1.DebugSession) {
		s.Status.Phase, s.Status.ExpiresAt, s.Status.HardDeadline = v1alpha1.PhaseActive, at(30*time.Minute), at(time.Hour)
		s.Status.Class.EndWarnings = []v1alpha1.Duration{{Duration: time.Minute}, {Duration: 5 * time.Minute}}
	})
	for after, want := range map[time.Duration][2]time.Time{
		0:                {{}, ends.Add(-5 * time.Minute)},
		25 * time.Minute: {ends.Add(-5 * time.Minute), ends.Add(-time.Minute)},
		28 * time.Minute: {ends.Add(-5 * time.Minute), ends.Add(-time.Minute)},
		29 * time.Minute: {ends.Add(-time.Minute), {}},
	} {
		if last, next := EndWarnings(s, now.Add(after)); !last.Equal(want[0]) || !next.Equal(want[1]) {
			t.Errorf("after %s: the last at %s, the next at %s; want %s", after, last, next, want)
		}
	}
	if got, want := EndWarning(s, now.Add(25*time.Minute)), "this session ends in 5m, at "+ends.Local().Format(time.TimeOnly)+
		"; kubectl dbg extend -n shop hang +30m extends it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Status.HardDeadline = s.Status.ExpiresAt
	if got, want := EndWarning(s, now.Add(29*time.Minute)), "this session ends in 1m, at "+ends.Local().Format(time.TimeOnly)+
		"; it cannot be extended"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The line is written once: by the debugger where it can, else by kubectl dbg.
func TestWarnsItself(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.DebugSession)
		itself bool
	}{
		"ephemeral":   {func(*v1alpha1.DebugSession) {}, true},
		"unstoppable": {func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Unstoppable = true }, false},
		"copy":        {func(s *v1alpha1.DebugSession) { s.Spec.Mode = v1alpha1.ModePodCopy }, false},
		"node":        {func(s *v1alpha1.DebugSession) { s.Spec.Mode = v1alpha1.ModeNode }, false},
	} {
		if got := WarnsItself(session(tc.change)); got != tc.itself {
			t.Errorf("%s: %t, want %t", name, got, tc.itself)
		}
	}
}
