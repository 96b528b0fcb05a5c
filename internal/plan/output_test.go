package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func TestOutputOfADebuggerWithoutStdin(t *testing.T) {
	once := func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = false, false }
	for name, tc := range map[string]struct {
		answer plan.Observed[string]
		output string
		says   string
	}{
		"short":              {plan.Found("up 3 days\n"), "up 3 days", "exit code 3"},
		"none":               {plan.Found(""), "", "exit code 3"},
		"long":               {plan.Found("x" + strings.Repeat("\u00e4", 1024)), strings.Repeat("\u00e4", 1024), "exit code 3"},
		"cut in a character": {plan.Found("\xa4done"), "done", "exit code 3"},
		"not to be read":     {plan.Unknown[string](errOffline), "", "exit code 3; its output cannot be read: " + errOffline.Error()},
		"gone":               {plan.Absent[string](), "", "exit code 3"},
	} {
		t.Run(name, func(t *testing.T) {
			session, pod := active(t, once)
			fixture.EphemeralState(session.Status.Debugger.ContainerName, fixture.Exited(now, 3, "Error", ""))(pod)
			p := pass(t, about(session, target(pod), func(v *view) { v.output = &tc.answer }))
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted, reason: "Exited", says: tc.says}.check(t, p)
			if got := p.Status.Debugger.Output; got != tc.output {
				t.Errorf("output is %q, want %q", got, tc.output)
			}
		})
	}
}

// Asking would fail these: the view has no answer.
func TestOutputThatIsNotAskedFor(t *testing.T) {
	for name, change := range map[string]fixture.SessionOption{
		"of a debugger that one could attach to": func(*v1alpha1.DebugSession) {},
		"of one whose class gives no access to logs": func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = false, false
			s.Status.Class.AccessVerbs = []v1alpha1.AccessVerb{v1alpha1.AccessAttach}
		},
	} {
		t.Run(name, func(t *testing.T) {
			session, pod := active(t)
			change(session)
			fixture.EphemeralState(session.Status.Debugger.ContainerName, fixture.Exited(now, 0, "Completed", ""))(pod)
			p := pass(t, about(session, target(pod)))
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted, says: "exit code 0"}.check(t, p)
		})
	}
}

// A copy's kubelet may start the debugger again before its log is read. Which run is meant is asked with it.
func TestOutputIsOfTheRunThatEnded(t *testing.T) {
	once := func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = false, false }
	ended := fixture.Exited(now, 3, "Error", "")
	never := func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyNever }
	inModes := modes(t, once)
	copies := inModes[v1alpha1.ModePodCopy]
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		seen    look
		want    time.Time
	}{
		"ephemeral": {
			inModes[v1alpha1.ModeEphemeralContainer].session,
			inModes[v1alpha1.ModeEphemeralContainer].sees(ended),
			time.Time{},
		},
		"node": {inModes[v1alpha1.ModeNode].session, inModes[v1alpha1.ModeNode].sees(ended), time.Time{}},
		"copy": {copies.session, copies.sees(ended), now},
		"copy that was started again": {
			copies.session,
			copies.sees(fixture.Running(after(time.Second)), lastlyIn(copies.session, ended)),
			now,
		},
		"copy that is not started anew": {copies.session, copies.sees(ended, never), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			v := about(tc.session, tc.seen, func(v *view) { v.output = new(plan.Found("done")) })
			asked := 0
			_, _, err := plan.Run(plan.Snapshot{Session: v.session, Now: v.now}, func(s *plan.Snapshot, q plan.Question) error {
				if read, ok := q.(plan.ReadOutput); ok {
					asked++
					if !read.Ended.Equal(tc.want) {
						t.Errorf("asks for the run that ended at %s, want %s", read.Ended, tc.want)
					}
				}
				v.answer(t, s, q)
				return nil
			})
			if err != nil || asked != 1 {
				t.Errorf("asked %d times: %v", asked, err)
			}
		})
	}
}

// lastlyIn is a pod whose debugger ended before as the state says.
func lastlyIn(session *v1alpha1.DebugSession, state corev1.ContainerState) fixture.PodOption {
	return func(p *corev1.Pod) {
		for i := range p.Status.ContainerStatuses {
			if status := &p.Status.ContainerStatuses[i]; status.Name == session.Status.Debugger.ContainerName {
				status.LastTerminationState = state
			}
		}
	}
}
