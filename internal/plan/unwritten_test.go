package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// An end is carried out before it is written down only if whoever looks next would begin it as well. That a pod was made waits for what
// becomes of it.
func TestMayStayUnwritten(t *testing.T) {
	ephemeral := func(changes ...fixture.SessionOption) func(t *testing.T) (*v1alpha1.DebugSession, view) {
		return func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session, pod := active(t)
			for _, change := range changes {
				change(session)
			}
			return session, about(session, target(pod))
		}
	}
	deleted := func(s *v1alpha1.DebugSession) { s.DeletionTimestamp = &metav1.Time{Time: now} }
	required := func(s *v1alpha1.DebugSession) { s.Status.Class.Audit = v1alpha1.AuditRequired }
	transcribed := func(s *v1alpha1.DebugSession) { s.Status.Class.Transcript = v1alpha1.TranscriptBestEffort }
	files := func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Artifacts = []string{"/tmp/heap"} }
	for name, tc := range map[string]struct {
		of   func(t *testing.T) (*v1alpha1.DebugSession, view)
		want bool
	}{
		"goes on":              {ephemeral(), false},
		"asked for":            {ephemeral(fixture.End), true},
		"deleted":              {ephemeral(deleted), true},
		"its record is waited": {ephemeral(fixture.End, required), false},
		"its log is read":      {ephemeral(fixture.End, transcribed), false},
		"its files are read":   {ephemeral(fixture.End, files), false},
		"expired": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session, pod := active(t)
			return session, about(session, target(pod), at(session.Status.ExpiresAt.Time))
		}, true},
		"exited": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session, _ := active(t)
			v := about(session, target(debugged(session, fixture.Exited(now, 0, "Completed", ""))))
			v.output = new(plan.Found(""))
			return session, v
		}, true},
		"its approval was taken back": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session, pod := active(t)
			session.Status.Class.ApprovalsRequired = 1
			v := about(session, target(pod))
			v.approvals = new(plan.Found([]approval.Approval{}))
			return session, v
		}, false},
		"its target has gone": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session, _ := active(t)
			return session, about(session, targetIs(absent()))
		}, false},
		"a copy": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session, made := activeCopy(t)
			fixture.End(session)
			return session, about(session, copied(made))
		}, true},
		"an isolated copy": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session, made := activeCopy(t)
			fixture.End(session)
			session.Spec.PodCopy.Isolate = true
			return session, about(session, copied(made))
		}, false},
		"its copy was made": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
			return session, about(session, copied(copyOf(t, session, fixture.Pod())))
		}, true},
		"its copy runs": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
			made := copyOf(t, session, fixture.Pod(), fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Running(now)))
			return session, about(session, copied(made))
		}, false},
		"its copy has no image": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
			waits := fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Waiting("ErrImagePull", pullError))
			return session, about(session, copied(copyOf(t, session, fixture.Pod(), waits)))
		}, false},
		"not started yet": {func(t *testing.T) (*v1alpha1.DebugSession, view) {
			session := admitted(t, fixture.Session(), fixture.Pod())
			fixture.End(session)
			return session, about(session, target(debugged(session, corev1.ContainerState{})))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			session, v := tc.of(t)
			p := pass(t, v)
			if got := plan.MayStayUnwritten(session, p, v.now); got != tc.want {
				t.Errorf("MayStayUnwritten is %t, want %t: phase %q, %s", got, tc.want, p.Status.Phase, said(p))
			}
		})
	}
}

// An end that something resists is written down.
func TestWhatFailsIsWritten(t *testing.T) {
	session, pod := active(t)
	fixture.End(session)
	begun := written(session, pass(t, about(session, target(pod))))
	v := about(begun, target(pod), accessIs(plan.AccessGranted))
	_, decided := v.decide(t)
	p := pass(t, v, plan.Result{Action: decided.Actions[0], Err: errOffline})
	if plan.MayStayUnwritten(session, p, now.Add(time.Second)) {
		t.Errorf("an end that failed is not written down: %s", said(p))
	}
}
