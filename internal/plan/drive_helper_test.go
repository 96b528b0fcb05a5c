package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// now is the time of a pass that says no other: a second after the session was created.
var now = fixture.Created.Add(time.Second)

func after(d time.Duration) time.Time { return now.Add(d) }

// want is what a pass should have come to. What is left empty is not looked at, but for does and retries.
type want struct {
	phase   v1alpha1.Phase
	reason  string
	outcome v1alpha1.Outcome
	says    string // in the message of condition Ready
	does    string // the actions, by name
	wakes   time.Time
	retries bool
	warns   string // the reason of a warning
}

func (w want) check(t *testing.T, p plan.Plan) {
	t.Helper()
	status := &p.Status
	if w.phase != "" && status.Phase != w.phase {
		t.Errorf("phase is %q, want %q (%s)", status.Phase, w.phase, said(p))
	}
	if w.reason != "" && status.Reason != w.reason {
		t.Errorf("reason is %q, want %q", status.Reason, w.reason)
	}
	if w.outcome != "" {
		outcome := status.Outcome
		if ending := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionEnded); outcome == "" && ending != nil {
			outcome = v1alpha1.Outcome(ending.Reason) // to come
		}
		if outcome != w.outcome {
			t.Errorf("outcome is %q, want %q", outcome, w.outcome)
		}
	}
	if !strings.Contains(said(p), w.says) {
		t.Errorf("says %q, want %q in it", said(p), w.says)
	}
	if got := does(p); got != w.does {
		t.Errorf("does %q, want %q", got, w.does)
	}
	if !w.wakes.IsZero() && !p.WakeAt.Equal(w.wakes) {
		t.Errorf("wakes at %s, want %s", p.WakeAt, w.wakes)
	}
	if (p.Retry != nil) != w.retries {
		t.Errorf("retry is %v, want one: %t", p.Retry, w.retries)
	}
	if got := warnings(p); got != w.warns {
		t.Errorf("warns %q, want %q", got, w.warns)
	}
}

// said is the message of the condition that a person looks at first.
func said(p plan.Plan) string {
	return p.Status.Message()
}

func does(p plan.Plan) string {
	return strings.Join(mapped(p.Actions, func(a plan.Action) string { return strings.TrimPrefix(fmt.Sprintf("%T", a), "plan.") }), " ")
}

func warnings(p plan.Plan) string {
	var reasons []string
	for _, e := range p.Events {
		if e.Type == corev1.EventTypeWarning {
			reasons = append(reasons, e.Reason)
		}
	}
	return strings.Join(reasons, " ")
}

// written is the session after a pass's status was persisted.
func written(session *v1alpha1.DebugSession, p plan.Plan, changes ...fixture.SessionOption) *v1alpha1.DebugSession {
	session = session.DeepCopy()
	session.Status = p.Status
	for _, change := range changes {
		change(session)
	}
	return session
}

// admitted is the session after it was admitted for this pod at now. Its debugger is not made yet.
func admitted(t tester, session *v1alpha1.DebugSession, pod *corev1.Pod) *v1alpha1.DebugSession {
	t.Helper()
	session = session.DeepCopy()
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, target(pod), copyIs(absent())))
	if p.Status.Phase != v1alpha1.PhaseStarting {
		t.Fatalf("not admitted: %s: %s", p.Status.Phase, said(p))
	}
	return written(session, p)
}

// debugged is the target with the session's debugger in it, in that state.
func debugged(session *v1alpha1.DebugSession, state corev1.ContainerState, changes ...fixture.PodOption) *corev1.Pod {
	name := session.Status.Debugger.ContainerName
	return fixture.Pod(append([]fixture.PodOption{fixture.Ephemeral(name), fixture.EphemeralState(name, state)}, changes...)...)
}

// active is a session with an ephemeral debugger that runs since now, and its target.
func active(t tester, options ...fixture.SessionOption) (*v1alpha1.DebugSession, *corev1.Pod) {
	t.Helper()
	session := admitted(t, fixture.Session(options...), fixture.Pod())
	pod := debugged(session, fixture.Running(now))
	p := pass(t, about(session, target(pod)))
	if p.Status.Phase != v1alpha1.PhaseActive {
		t.Fatalf("not active: %s: %s", p.Status.Phase, said(p))
	}
	return written(session, p), pod
}

// copyOf is the copy that the session makes of the target, as the API server has it.
func copyOf(t tester, session *v1alpha1.DebugSession, pod *corev1.Pod, changes ...fixture.PodOption) *corev1.Pod {
	t.Helper()
	p := pass(t, about(session, target(pod), copyIs(absent())))
	if len(p.Actions) == 0 {
		t.Fatalf("makes no copy: %s", said(p))
	}
	made := p.Actions[len(p.Actions)-1].(plan.CreatePod).Pod.DeepCopy()
	made.UID, made.Status.Phase = "uid-of-copy", corev1.PodRunning
	made.Spec.NodeName = "node-1"
	for _, change := range changes {
		change(made)
	}
	return made
}

// activeCopy is a session whose copy runs since now, and the copy.
func activeCopy(t tester, options ...fixture.SessionOption) (*v1alpha1.DebugSession, *corev1.Pod) {
	t.Helper()
	session := admitted(t, fixture.Session(append([]fixture.SessionOption{fixture.AsCopy()}, options...)...), fixture.Pod())
	made := copyOf(t, session, fixture.Pod(), fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Running(now)))
	p := pass(t, about(session, copied(made)))
	if p.Status.Phase != v1alpha1.PhaseActive {
		t.Fatalf("not active: %s: %s", p.Status.Phase, said(p))
	}
	return written(session, p), made
}

// ending is the session after it was asked to end. Nothing has to be seen for that.
func ending(t tester, session *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	t.Helper()
	session = session.DeepCopy()
	fixture.End(session)
	p := pass(t, about(session, copyIs(absent())))
	if p.Status.Phase != v1alpha1.PhaseEnding {
		t.Fatalf("not ending: %s: %s", p.Status.Phase, said(p))
	}
	return written(session, p)
}
