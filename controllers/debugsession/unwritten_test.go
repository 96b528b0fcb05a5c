package debugsession

import (
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func TestAnEndIsWrittenDownIfItTakesLong(t *testing.T) {
	start := time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)
	clock := testingclock.NewFakePassiveClock(start)
	r := &Reconciler{Clock: clock}
	look := func() *v1alpha1.DebugSession {
		session := fixture.Session(fixture.End)
		session.Status = v1alpha1.DebugSessionStatus{Phase: v1alpha1.PhaseActive, Attach: "kubectl attach", Class: &v1alpha1.ClassStatus{Name: "standard"}}
		return session
	}
	ending := v1alpha1.DebugSessionStatus{Phase: v1alpha1.PhaseEnding, Class: &v1alpha1.ClassStatus{Name: "standard"}}

	session := look()
	stored := r.resume(session)
	p := plan.Plan{Status: ending, WakeAt: start.Add(time.Minute)}
	if !r.leaveUnwritten(session, stored, &p) {
		t.Fatal("the end is written down")
	}

	clock.SetTime(start.Add(time.Second))
	session = look()
	session.Spec.End = false // taken back: too late
	if stored = r.resume(session); stored.Phase != v1alpha1.PhaseActive || session.Status.Phase != v1alpha1.PhaseEnding {
		t.Fatalf("goes on from %q, stored as %q", session.Status.Phase, stored.Phase)
	}
	session.Spec.End = true
	p = plan.Plan{Status: ending, WakeAt: start.Add(time.Minute)}
	if !r.leaveUnwritten(session, stored, &p) || !p.WakeAt.Equal(start.Add(plan.MaxUnwritten)) {
		t.Fatalf("the end is written down, or looked at again only at %s", p.WakeAt)
	}

	clock.SetTime(start.Add(plan.MaxUnwritten))
	if r.leaveUnwritten(session, stored, &p) {
		t.Error("an end that takes long is not written down")
	}

	ended := look()
	ended.Status = ending
	r.resume(ended)
	if ended.Status.Attach != "" || ended.Status.Phase != v1alpha1.PhaseEnding {
		t.Error("what was written down since is not what counts")
	}
}
