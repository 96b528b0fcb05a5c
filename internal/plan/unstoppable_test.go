package plan_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func allowsUnstoppable(c *v1alpha1.DebugClassSpec) { c.AllowUnstoppable = true }

// distroless asks for a debugger that nothing is wrapped around, with its image's own entrypoint.
func distroless(s *v1alpha1.DebugSession) {
	s.Spec.Debugger = v1alpha1.Debugger{Image: "tool:1", Unstoppable: true}
}

// It is made as it is written, and nothing claims a deadline that would not be kept.
func TestUnstoppable(t *testing.T) {
	class := plan.Found(fixture.Class(allowsUnstoppable))
	session := fixture.Session(distroless)
	session.Finalizers = []string{v1alpha1.Finalizer}
	look := func(session *v1alpha1.DebugSession, pod *corev1.Pod, when time.Time) view {
		v := about(session, target(pod), at(when))
		v.class = &class
		return v
	}
	session = written(session, pass(t, look(session, fixture.Pod(), now)))
	if session.Status.HardDeadline != nil {
		t.Errorf("has a hard deadline, %s", session.Status.HardDeadline)
	}
	p := pass(t, look(session, fixture.Pod(), now))
	want{does: "InjectDebugger"}.check(t, p)
	if made := p.Actions[0].(plan.InjectDebugger).Container; len(made.Command)+len(made.Args) != 0 {
		t.Errorf("its command is %q %q, and the session wrote none", made.Command, made.Args)
	}
	session = written(session, p)

	waiting := debugged(session, corev1.ContainerState{})
	never := ending(t, session)
	p = pass(t, look(never, waiting, after(time.Hour)))
	want{phase: v1alpha1.PhaseEnding, wakes: after(time.Hour + 15*time.Second)}.check(t, p) // it may start at any time
	want{does: "StopDebugger"}.check(t, pass(t, look(written(never, p), debugged(session, fixture.Running(now)), after(time.Hour))))

	pod := debugged(session, fixture.Running(now))
	p = pass(t, look(session, pod, now))
	want{phase: v1alpha1.PhaseActive, says: "it runs until it exits or its pod is deleted", does: "GrantAccess"}.check(t, p)

	session = ending(t, written(session, p))
	v := look(session, pod, now)
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger"}.check(t, pass(t, v)) // there may be a shell after all
	_, decided := v.decide(t)
	failed := plan.Result{
		Action: decided.Actions[0],
		Err:    errors.New(`exec failed: unable to start container process: exec: "sh": executable file not found in $PATH`),
	}
	p = pass(t, v, failed)
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger", warns: "Unstoppable"}.check(t, p)
	if ready := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionDebuggerReady); !strings.Contains(ready.Message,
		"kubectl delete pod web -n shop") {
		t.Errorf("does not say what can be done: %s", ready.Message)
	}
	busy := plan.Result{Action: decided.Actions[0], Err: errOffline}
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger", retries: true, warns: "StillRunning"}.check(t, pass(t, v, busy))

	session = written(session, p)
	want{phase: v1alpha1.PhaseEnding}.check(t, pass(t, look(session, pod, after(time.Hour))))
	exited := debugged(session, fixture.Exited(after(time.Hour), 0, "Completed", ""))
	isOver("its container has terminated").check(t, pass(t, look(session, exited, after(time.Hour))))
	gone := about(session, targetIs(absent()), at(after(time.Hour)))
	isOver("its pod is gone").check(t, pass(t, gone))
}
