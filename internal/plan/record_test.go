package plan_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

var stored = v1alpha1.AuditStatus{Key: "records/2026-11-24/shop/hang.json", SHA256: "5ha"}

func recordRequired(c *v1alpha1.DebugClassSpec) { c.Audit = v1alpha1.AuditRequired }

func classIs(changes ...func(*v1alpha1.DebugClassSpec)) look {
	return func(v *view) { v.class = new(plan.Found(fixture.Class(changes...))) }
}

func hasStore(v *view) { v.store = true }

func recordIs(state plan.RecordState) look {
	return func(v *view) { v.store, v.record = true, &state }
}

// requires is a session that must be recorded, whose debugger runs.
func requires(s *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	s = s.DeepCopy()
	s.Status.Class.Audit = v1alpha1.AuditRequired
	return s
}

func TestNothingStartsWithoutAStoreForARequiredRecord(t *testing.T) {
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, classIs(recordRequired), target(fixture.Pod())))
	want{
		phase:  v1alpha1.PhasePending,
		reason: v1alpha1.ReasonNoAuditStore,
		says:   "--audit-store=URL",
		warns:  v1alpha1.ReasonNoAuditStore,
	}.check(t, p)
	p = pass(t, about(written(session, p), classIs(recordRequired), target(fixture.Pod()), at(after(plan.StartTimeout))))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTimedOut, does: "RemoveFinalizer"}.checkEnded(t, p)
	p = pass(t, about(session, classIs(recordRequired), target(fixture.Pod()), hasStore))
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	if p.Status.Class.Audit != v1alpha1.AuditRequired {
		t.Errorf("granted: %q", p.Status.Class.Audit)
	}
}

// checkEnded is check for a pass whose actions do not matter.
func (w want) checkEnded(t *testing.T, p plan.Plan) {
	t.Helper()
	w.does = does(p)
	w.warns = warnings(p)
	w.check(t, p)
}

// A class that came to require a record before its session started is obeyed.
func TestGrantedAuditBecomesStricter(t *testing.T) {
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, targetIs(absent())))
	waiting := written(session, p)
	for _, changed := range []struct {
		class func(*v1alpha1.DebugClassSpec)
		want  v1alpha1.AuditPolicy
	}{{recordRequired, v1alpha1.AuditRequired}, {func(*v1alpha1.DebugClassSpec) {}, ""}} {
		p = pass(t, about(waiting, classIs(changed.class), target(fixture.Pod()), hasStore))
		if p.Status.Phase != v1alpha1.PhaseStarting || p.Status.Class.Audit != changed.want {
			t.Errorf("%s: %q, want %q", p.Status.Phase, p.Status.Class.Audit, changed.want)
		}
	}
}

// An admitted session of an operator that has no store any more makes nothing.
func TestNothingIsMadeWithoutAStoreForARequiredRecord(t *testing.T) {
	session := requires(admitted(t, fixture.Session(), fixture.Pod()))
	p := pass(t, about(session, target(fixture.Pod())))
	want{
		phase:  v1alpha1.PhaseStarting,
		reason: v1alpha1.ReasonNoAuditStore,
		says:   "--audit-store=URL",
		warns:  v1alpha1.ReasonNoAuditStore,
	}.check(t, p)
}

// The end of a session that requires a record: its debugger ends as any, all of the end is written down, the record is stored from
// that, and only then it has Ended.
func TestSessionStaysEndingUntilItsRecordIsStored(t *testing.T) {
	session, pod := active(t)
	session = ending(t, requires(session))
	p := pass(t, about(session, target(pod), hasStore))
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger"}.check(t, p)

	gone := debugged(session, fixture.Exited(now, 137, "Error", ""))
	p = pass(t, about(session, target(gone), hasStore))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated, says: "until its audit record is stored"}.check(t, p)
	if p.Status.EndedAt == nil || !p.Status.EndedAt.Time.Equal(now) || p.Status.Outcome != "" ||
		p.Status.Debugger.StoppedBy != v1alpha1.StoppedByOperator {
		t.Fatalf("endedAt %v, outcome %q, stopped by %q", p.Status.EndedAt, p.Status.Outcome, p.Status.Debugger.StoppedBy)
	}
	over := written(session, p)

	p = pass(t, about(over, recordIs(plan.RecordState{}), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnding, does: "StoreRecord"}.check(t, p)
	p = pass(t, about(over, recordIs(plan.RecordState{Known: true}), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnding}.check(t, p)
	p = pass(t, about(over, recordIs(plan.RecordState{Known: true, Failure: "access denied"}), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnding, says: "access denied", warns: v1alpha1.ReasonNotRecorded}.check(t, p)
	p = pass(t, about(written(over, p), at(after(time.Minute)))) // by an operator without a store
	want{phase: v1alpha1.PhaseEnding, says: "no longer has an audit store", warns: v1alpha1.ReasonNoAuditStore}.check(t, p)

	p = pass(t, about(written(over, p), recordIs(plan.RecordState{Known: true, Stored: &stored}), at(after(time.Hour))))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated}.check(t, p)
	if !p.Status.EndedAt.Time.Equal(now) || p.Status.Audit == nil || *p.Status.Audit != stored ||
		!meta.IsStatusConditionPresentAndEqual(p.Status.Conditions, v1alpha1.ConditionRecorded, metav1.ConditionTrue) {
		t.Errorf("endedAt %v, audit %v, %v", p.Status.EndedAt, p.Status.Audit, p.Status.Conditions)
	}
	if ended := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionEnded); strings.Contains(ended.Message, "record") {
		t.Errorf("it ended: %s", ended.Message)
	}
}

// Whoever takes the finalizer away does not get rid of the session before its record is stored.
func TestFinalizerComesBackBeforeTheRecord(t *testing.T) {
	session, _ := active(t)
	session = ending(t, requires(session))
	pod := debugged(session, fixture.Exited(now, 137, "Error", ""))
	over := written(session, pass(t, about(session, target(pod), hasStore)), func(s *v1alpha1.DebugSession) { s.Finalizers = nil })
	want{phase: v1alpha1.PhaseEnding, does: "AddFinalizer StoreRecord"}.check(t, pass(t, about(over, recordIs(plan.RecordState{}))))
}

// What was never admitted waits for its record if there is a store, and is not held where there is none.
func TestSessionThatNeverRanIsRecordedToo(t *testing.T) {
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	session = written(session, pass(t, about(session, classIs(recordRequired, fixture.Approvals(1)), target(fixture.Pod()), hasStore)))
	fixture.Deleted(session)
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated}.check(t, pass(t, about(session, hasStore)))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated}.check(t, pass(t, about(session)))
}
