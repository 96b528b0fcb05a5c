package plan_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func TestLifetimeIsRecordedWhenAdmitted(t *testing.T) {
	const most = 24 * time.Hour
	for name, tc := range map[string]struct {
		options []fixture.SessionOption
		expires time.Time
		hard    time.Time
	}{
		"no ttl":                       {nil, after(plan.DefaultTTL), after(most)},
		"ttl":                          {[]fixture.SessionOption{fixture.TTL(time.Hour)}, after(time.Hour), after(most)},
		"the longest ttl":              {[]fixture.SessionOption{fixture.TTL(most)}, after(most), after(most)},
		"a fraction of a second":       {[]fixture.SessionOption{fixture.TTL(10*time.Second + 999*time.Millisecond)}, after(10 * time.Second), after(most)},
		"notAfter before the ttl":      {[]fixture.SessionOption{fixture.TTL(time.Hour), fixture.NotAfter(after(time.Minute))}, after(time.Minute), after(time.Minute)},
		"notAfter after the ttl":       {[]fixture.SessionOption{fixture.TTL(time.Hour), fixture.NotAfter(after(2 * time.Hour))}, after(time.Hour), after(2 * time.Hour)},
		"notAfter after the most":      {[]fixture.SessionOption{fixture.NotAfter(after(2 * most))}, after(plan.DefaultTTL), after(most)},
		"notAfter in another timezone": {[]fixture.SessionOption{fixture.NotAfter(after(time.Minute).In(time.FixedZone("", 3600)))}, after(time.Minute), after(time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(tc.options...)
			p := pass(t, about(session, target(fixture.Pod()), at(now.Add(123*time.Millisecond))))
			status := p.Status
			if !status.StartedAt.Time.Equal(now) || !status.ExpiresAt.Time.Equal(tc.expires) || !status.HardDeadline.Time.Equal(tc.hard) {
				t.Errorf("from %s until %s, at the latest %s; want %s, %s, %s", status.StartedAt, status.ExpiresAt, status.HardDeadline, now, tc.expires, tc.hard)
			}
		})
	}
}

func TestTTLMovesTheEndOfAnActiveSession(t *testing.T) {
	for name, tc := range map[string]struct {
		ttl     time.Duration
		changed *time.Duration
		want    want
		expires time.Time
	}{
		"later, which the debugger is told first": {30 * time.Minute, new(time.Hour),
			want{phase: v1alpha1.PhaseActive, does: "ExtendDebugger", wakes: after(30 * time.Minute)}, after(30 * time.Minute)},
		"earlier": {30 * time.Minute, new(11 * time.Minute), want{phase: v1alpha1.PhaseActive, wakes: after(11 * time.Minute)},
			after(11 * time.Minute)},
		"to what has passed": {30 * time.Minute, new(10 * time.Second),
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired}, after(10 * time.Second)},
		"to this very moment": {30 * time.Minute, new(10 * time.Minute),
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired}, after(10 * time.Minute)},
		"removed": {time.Hour, nil, want{phase: v1alpha1.PhaseActive, wakes: after(plan.DefaultTTL)}, after(plan.DefaultTTL)},
	} {
		t.Run(name, func(t *testing.T) {
			session, pod := active(t, fixture.TTL(tc.ttl))
			session.Generation++
			session.Spec.TTL = nil
			if tc.changed != nil {
				fixture.TTL(*tc.changed)(session)
			}
			p := pass(t, about(session, target(pod), at(after(10*time.Minute))))
			tc.want.check(t, p)
			if !p.Status.ExpiresAt.Time.Equal(tc.expires) {
				t.Errorf("expires at %s, want %s", p.Status.ExpiresAt, tc.expires)
			}
			if was := session.Status; !p.Status.StartedAt.Equal(was.StartedAt) || !p.Status.HardDeadline.Equal(was.HardDeadline) {
				t.Errorf("startedAt and the hard deadline moved to %s, %s", p.Status.StartedAt, p.Status.HardDeadline)
			}
		})
	}
}

func TestTTLDoesNotMoveTheEndPastNotAfter(t *testing.T) {
	session, pod := active(t, fixture.NotAfter(after(time.Hour)))
	fixture.TTL(24 * time.Hour)(session)
	p := pass(t, about(session, target(pod)))
	want{phase: v1alpha1.PhaseActive, does: "ExtendDebugger"}.check(t, p)
	if until := p.Actions[0].(plan.ExtendDebugger).Until; !until.Equal(after(time.Hour)) {
		t.Errorf("extended until %s", until)
	}
}

// A copy has no deadline of its own before its hard deadline, so there is nobody to tell.
func TestTTLMovesTheEndOfACopyAtOnce(t *testing.T) {
	session, made := activeCopy(t)
	fixture.TTL(time.Hour)(session)
	p := pass(t, about(session, copied(made)))
	want{phase: v1alpha1.PhaseActive, wakes: after(time.Hour)}.check(t, p)
	rescheduled(t, p)
}

// A debugger that keeps to its own deadline is told of a later one before the session says so. If it cannot be told, the session
// ends when the debugger does.
func TestExtending(t *testing.T) {
	session, pod := active(t, fixture.TTL(30*time.Minute))
	fixture.TTL(time.Hour)(session)
	v := about(session, target(pod))
	extend := pass(t, v).Actions[0].(plan.ExtendDebugger)
	if extend.Pod.String() != "shop/web" || extend.Container != session.Status.Debugger.ContainerName || !slices.Equal(extend.Command, debugpod.Extend(after(time.Hour))) {
		t.Errorf("extends %+v", extend)
	}
	still, moved := want{phase: v1alpha1.PhaseActive, does: "ExtendDebugger", wakes: after(30 * time.Minute)}, after(30*time.Minute)
	for name, tc := range map[string]struct {
		result  plan.Result
		want    want
		expires time.Time
	}{
		"told":            {plan.Result{}, want{phase: v1alpha1.PhaseActive, does: "ExtendDebugger", wakes: after(time.Hour)}, after(time.Hour)},
		"not told":        {plan.Result{Err: errOffline}, want{phase: v1alpha1.PhaseActive, does: "ExtendDebugger", wakes: moved, retries: true, warns: "NotExtended"}, moved},
		"refused":         {plan.Result{Refusal: &plan.Refusal{Message: "no"}}, want{phase: v1alpha1.PhaseActive, does: "ExtendDebugger", wakes: moved, retries: true, warns: "NotExtended"}, moved},
		"there is nobody": {plan.Result{Gone: true}, still, moved},
	} {
		t.Run(name, func(t *testing.T) {
			tc.result.Action = extend
			p := pass(t, v, tc.result)
			tc.want.check(t, p)
			if !p.Status.ExpiresAt.Time.Equal(tc.expires) || !p.Status.Debugger.Deadline.Time.Equal(tc.expires) {
				t.Errorf("ends at %s, and the debugger at %s; want %s", p.Status.ExpiresAt, p.Status.Debugger.Deadline, tc.expires)
			}
			if name == "told" {
				rescheduled(t, p)
				session := written(session, p)
				want{phase: v1alpha1.PhaseActive}.check(t, pass(t, about(session, target(pod))))
			}
		})
	}
}

func TestShorteningIsNotTold(t *testing.T) {
	session, pod := active(t, fixture.TTL(time.Hour))
	fixture.TTL(30 * time.Minute)(session)
	p := pass(t, about(session, target(pod)))
	want{phase: v1alpha1.PhaseActive, wakes: after(30 * time.Minute)}.check(t, p)
	rescheduled(t, p)
	longer := written(session, p, fixture.TTL(50*time.Minute)) // within the debugger's own deadline
	want{phase: v1alpha1.PhaseActive, wakes: after(50 * time.Minute)}.check(t, pass(t, about(longer, target(pod))))
	session = written(session, p)
	p = pass(t, about(session, target(pod), at(after(30*time.Minute))))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired}.check(t, p)
	session = written(session, p)
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger"}.check(t, pass(t, about(session, target(pod), at(after(30*time.Minute)))))
}

func rescheduled(t *testing.T, p plan.Plan) {
	t.Helper()
	if !slices.ContainsFunc(p.Events, func(e plan.Event) bool { return e.Reason == v1alpha1.ReasonRescheduled }) {
		t.Errorf("nobody is told that the end was moved: %v", p.Events)
	}
}

// At its own deadline a debugger ends by itself, with a moment to do so. What is left then is stopped.
func TestTheDebuggerEndsItself(t *testing.T) {
	session, pod := active(t, fixture.TTL(time.Minute))
	expired := written(session, pass(t, about(session, target(pod), at(after(time.Minute)))))
	waits := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired, wakes: after(68 * time.Second)}
	waits.check(t, pass(t, about(expired, target(pod), at(after(time.Minute)))))
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger"}.check(t, pass(t, about(expired, target(pod), at(after(68*time.Second)))))

	itself := fixture.Exited(after(time.Minute), 124, "Error", "debugsession: ended at its deadline\n")
	ends := func(name string, session *v1alpha1.DebugSession, state corev1.ContainerState, want v1alpha1.Outcome, by v1alpha1.StoppedBy) {
		t.Helper()
		for range 2 {
			session = written(session, pass(t, about(session, target(debugged(session, state)), at(after(time.Minute-time.Second)))))
		}
		if status := session.Status; status.Phase != v1alpha1.PhaseEnded || status.Outcome != want || status.Debugger.StoppedBy != by {
			t.Errorf("%s: %s, %s, stopped by %s", name, status.Phase, status.Outcome, status.Debugger.StoppedBy)
		}
	}
	ends("as was expected", expired, itself, v1alpha1.OutcomeExpired, v1alpha1.StoppedByDeadline)
	ends("by a clock that is ahead", session, itself, v1alpha1.OutcomeExpired, v1alpha1.StoppedByDeadline)
	ends("as it claims, and too early", session, fixture.Exited(after(time.Second), 124, "Error", "debugsession: ended at its deadline\n"), v1alpha1.OutcomeCompleted, v1alpha1.StoppedByCommand)
	ends("with that code, of its own", session, fixture.Exited(after(time.Second), 124, "Error", ""), v1alpha1.OutcomeCompleted, v1alpha1.StoppedByCommand)
}

// A session that an operator recorded which told debuggers no more than their hard deadlines.
func TestNoDeadlineWasRecorded(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	session.Status.Debugger.Deadline = nil
	made := pass(t, about(session, target(fixture.Pod()))).Actions[0].(plan.InjectDebugger).Container
	if end := told(t, made.Command[4]); !end.Equal(session.Status.HardDeadline.Time) {
		t.Errorf("ends at %s, and its hard deadline is %s", end, session.Status.HardDeadline)
	}
	session, pod := active(t)
	session.Status.Debugger.Deadline = nil
	fixture.TTL(time.Hour)(session)
	want{phase: v1alpha1.PhaseActive, wakes: after(time.Hour)}.check(t, pass(t, about(session, target(pod))))
	session = ending(t, session)
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger"}.check(t, pass(t, about(session, target(pod))))
}

// Once it is persisted that a session ends, whoever then lengthens its ttl or sets end back has come too late.
func TestNothingStopsAnEndThatWasPersisted(t *testing.T) {
	session, pod := active(t, fixture.TTL(time.Minute))
	p := pass(t, about(session, target(pod), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired}.check(t, p)

	session = written(session, p, fixture.TTL(time.Hour), func(s *v1alpha1.DebugSession) { s.Generation++ })
	p = pass(t, about(session, target(pod), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired, wakes: after(time.Minute + 8*time.Second)}.check(t, p)
	if !p.Status.ExpiresAt.Time.Equal(after(time.Minute)) {
		t.Errorf("expiresAt moved to %s", p.Status.ExpiresAt)
	}
	session = written(session, p)
	gone := debugged(session, fixture.Exited(after(time.Minute), 137, "Error", ""))
	p = pass(t, about(session, target(gone), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeExpired}.check(t, p)
}

func TestNotAfterHasPassedBeforeTheStart(t *testing.T) {
	for name, when := range map[string]time.Time{"long ago": now.Add(-100 * time.Hour), "at this moment": now} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(fixture.NotAfter(when))
			p := pass(t, about(session))
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeExpired, reason: "Expired", says: "nothing was started"}.check(t, p)
			if p.Status.StartedAt != nil || p.Status.Debugger != nil {
				t.Errorf("something was recorded: %+v", p.Status)
			}
		})
	}
}

func TestASessionThatWaitsIsWokenAtNotAfter(t *testing.T) {
	session := fixture.Session(fixture.NotAfter(after(time.Minute)))
	p := pass(t, about(session, targetIs(absent())))
	want{phase: v1alpha1.PhasePending, wakes: after(time.Minute), does: "AddFinalizer", warns: "TargetNotFound"}.check(t, p)
}
