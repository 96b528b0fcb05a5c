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
	"debugsession.dev/operator/internal/policy"
)

func TestLifetimeIsRecordedWhenAdmitted(t *testing.T) {
	const most = 24 * time.Hour
	for name, tc := range map[string]struct {
		options []fixture.SessionOption
		expires time.Time
		hard    time.Time
	}{
		"no ttl":          {nil, after(policy.DefaultTTL), after(most)},
		"ttl":             {[]fixture.SessionOption{fixture.TTL(time.Hour)}, after(time.Hour), after(most)},
		"the longest ttl": {[]fixture.SessionOption{fixture.TTL(most)}, after(most), after(most)},
		"a fraction of a second": {
			[]fixture.SessionOption{fixture.TTL(10*time.Second + 999*time.Millisecond)},
			after(10 * time.Second),
			after(most),
		},
		"notAfter before the ttl": {
			[]fixture.SessionOption{fixture.TTL(time.Hour), fixture.NotAfter(after(time.Minute))},
			after(time.Minute),
			after(time.Minute),
		},
		"notAfter after the ttl": {
			[]fixture.SessionOption{fixture.TTL(time.Hour), fixture.NotAfter(after(2 * time.Hour))},
			after(time.Hour),
			after(2 * time.Hour),
		},
		"notAfter after the most": {[]fixture.SessionOption{fixture.NotAfter(after(2 * most))}, after(policy.DefaultTTL), after(most)},
		"notAfter in another timezone": {
			[]fixture.SessionOption{fixture.NotAfter(after(time.Minute).In(time.FixedZone("", 3600)))},
			after(time.Minute),
			after(time.Minute),
		},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(tc.options...)
			p := pass(t, about(session, target(fixture.Pod()), at(now.Add(123*time.Millisecond))))
			status := p.Status
			if !status.StartedAt.Time.Equal(now) || !status.ExpiresAt.Time.Equal(tc.expires) || !status.HardDeadline.Time.Equal(tc.hard) {
				t.Errorf("from %s until %s, at the latest %s; want %s, %s, %s", status.StartedAt, status.ExpiresAt, status.HardDeadline,
					now, tc.expires, tc.hard)
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
			want{phase: v1alpha1.PhaseActive, wakes: after(30 * time.Minute)}, after(30 * time.Minute)},
		"earlier": {30 * time.Minute, new(11 * time.Minute), want{phase: v1alpha1.PhaseActive, wakes: after(11 * time.Minute)},
			after(11 * time.Minute)},
		"to what has passed": {30 * time.Minute, new(10 * time.Second),
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired}, after(10 * time.Second)},
		"to this very moment": {30 * time.Minute, new(10 * time.Minute),
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired}, after(10 * time.Minute)},
		"removed": {time.Hour, nil, want{phase: v1alpha1.PhaseActive, wakes: after(policy.DefaultTTL)}, after(policy.DefaultTTL)},
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
	if own := p.Status.Debugger.Deadline; !own.Time.Equal(after(time.Hour)) {
		t.Errorf("to be extended until %s", own)
	}
	want{phase: v1alpha1.PhaseActive, does: "MoveDeadline"}.check(t, pass(t, about(written(session, p), target(pod))))
}

// A copy has no deadline of its own before its hard deadline, so there is nobody to tell.
func TestTTLMovesTheEndOfACopyAtOnce(t *testing.T) {
	session, made := activeCopy(t)
	fixture.TTL(time.Hour)(session)
	p := pass(t, about(session, copied(made)))
	want{phase: v1alpha1.PhaseActive, wakes: after(time.Hour)}.check(t, p)
	rescheduled(t, p)
}

// A debugger that keeps to its own deadline is told of another one. Whatever becomes of that, it ends by itself no sooner than the
// session says, and no later than the session says of the debugger: so each bound is moved before the debugger is told or after,
// whichever leaves it between them.
func TestMovingTheDebuggersDeadline(t *testing.T) {
	const half, full = 30 * time.Minute, time.Hour
	for name, tc := range map[string]struct {
		from, to      time.Duration
		result        plan.Result
		want          want
		expires, ends time.Duration
	}{
		"later": {half, full, plan.Result{}, want{wakes: after(full)}, full, full},
		"later, not told": {half, full, plan.Result{Err: errOffline},
			want{wakes: after(half), retries: true, warns: "NotExtended"}, half, full},
		"later, refused": {half, full, plan.Result{Refusal: &plan.Refusal{Message: "no"}},
			want{wakes: after(half), retries: true, warns: "NotExtended"}, half, full},
		"later, to nobody":      {half, full, plan.Result{Gone: true}, want{wakes: after(half)}, half, full},
		"later, when it can be": {half, full, plan.Result{Deferred: true}, want{wakes: after(half)}, half, full},
		"earlier":               {full, half, plan.Result{}, want{wakes: after(half)}, half, half},
		"earlier, not told": {full, half, plan.Result{Err: errOffline},
			want{wakes: after(half), retries: true, warns: "NotShortened"}, half, full},
		"earlier, refused": {full, half, plan.Result{Refusal: &plan.Refusal{Message: "no"}},
			want{wakes: after(half), retries: true, warns: "NotShortened"}, half, full},
		"earlier, to nobody":      {full, half, plan.Result{Gone: true}, want{wakes: after(half)}, half, full},
		"earlier, when it can be": {full, half, plan.Result{Deferred: true}, want{wakes: after(half)}, half, full},
	} {
		t.Run(name, func(t *testing.T) {
			session, pod := active(t, fixture.TTL(tc.from))
			fixture.TTL(tc.to)(session)
			p := pass(t, about(session, target(pod)))
			want{phase: v1alpha1.PhaseActive, wakes: after(half)}.check(t, p) // nothing before that is persisted
			session = written(session, p)
			v := about(session, target(pod))
			move := pass(t, v).Actions[0].(plan.MoveDeadline)
			if move.Pod.String() != "shop/web" || move.Container != session.Status.Debugger.ContainerName ||
				!slices.Equal(move.Command, debugpod.MoveDeadline(after(tc.to))) {
				t.Errorf("does %+v", move)
			}
			tc.result.Action = move
			tc.want.phase, tc.want.does = v1alpha1.PhaseActive, "MoveDeadline"
			after := pass(t, v, tc.result)
			tc.want.check(t, after)
			expires, ends := now.Add(tc.expires), now.Add(tc.ends)
			if !after.Status.ExpiresAt.Time.Equal(expires) || !after.Status.Debugger.Deadline.Time.Equal(ends) {
				t.Errorf("ends at %s, and the debugger at %s; want %s and %s", after.Status.ExpiresAt, after.Status.Debugger.Deadline,
					expires, ends)
			}
			if !expires.Equal(ends) {
				return
			}
			rescheduled(t, plan.Plan{Events: append(p.Events, after.Events...)})
			want{phase: v1alpha1.PhaseActive}.check(t, pass(t, about(written(session, after), target(pod)))) // it rests
		})
	}
}

// An end that was moved before the debugger is known to have heard of another: it may keep to that one, and is told whatever is
// wanted now.
func TestMovingBack(t *testing.T) {
	session, pod := active(t, fixture.TTL(time.Hour))
	fixture.TTL(30 * time.Minute)(session)
	session = written(session, pass(t, about(session, target(pod)))) // and then told, and the answer lost
	for _, ttl := range []time.Duration{time.Hour, 50 * time.Minute, 20 * time.Minute, 2 * time.Hour} {
		back := session.DeepCopy()
		fixture.TTL(ttl)(back)
		p := pass(t, about(back, target(pod)))
		if p.Status.ExpiresAt.After(after(30*time.Minute)) || p.Status.Debugger.Deadline.Time.Before(after(time.Hour)) {
			t.Errorf("ttl %s: ends at %s, and the debugger at %s", ttl, p.Status.ExpiresAt, p.Status.Debugger.Deadline)
		}
		back = written(back, p)
		move := pass(t, about(back, target(pod))).Actions[0].(plan.MoveDeadline)
		if !move.To.Equal(after(ttl)) {
			t.Errorf("ttl %s: told %s", ttl, move.To)
		}
		p = pass(t, about(back, target(pod)), plan.Result{Action: move})
		if !p.Status.ExpiresAt.Time.Equal(after(ttl)) || !p.Status.Debugger.Deadline.Time.Equal(after(ttl)) {
			t.Errorf("ttl %s: ends at %s, and the debugger at %s", ttl, p.Status.ExpiresAt, p.Status.Debugger.Deadline)
		}
	}
}

// Nothing can be run in a debugger that does not run yet: it keeps to what it was made with, which stays on record.
func TestMovingBeforeItRuns(t *testing.T) {
	session := admitted(t, fixture.Session(fixture.TTL(time.Hour)), fixture.Pod())
	waiting := target(debugged(session, fixture.Waiting("ContainerCreating", "")))
	for _, tc := range []struct{ ttl, expires time.Duration }{{30 * time.Minute, 30 * time.Minute}, {50 * time.Minute, 50 * time.Minute},
		{2 * time.Hour, time.Hour}} {
		fixture.TTL(tc.ttl)(session)
		p := pass(t, about(session, waiting, accessIs(plan.AccessGranted)))
		if len(p.Actions) > 0 || !p.Status.ExpiresAt.Time.Equal(after(tc.expires)) ||
			!p.Status.Debugger.Deadline.Time.Equal(after(time.Hour)) {
			t.Errorf("ttl %s: ends at %s, the debugger at %s, and does %v", tc.ttl, p.Status.ExpiresAt,
				p.Status.Debugger.Deadline, p.Actions)
		}
		session = written(session, p)
	}
}

// One that could not be told of an earlier end is ended by the operator then.
func TestShortenedAndNotTold(t *testing.T) {
	session, pod := active(t, fixture.TTL(time.Hour))
	fixture.TTL(30 * time.Minute)(session)
	session = written(session, pass(t, about(session, target(pod))))
	session = written(session, pass(t, about(session, target(pod), at(after(30*time.Minute)))))
	want{
		phase:   v1alpha1.PhaseEnding,
		outcome: v1alpha1.OutcomeExpired,
		does:    "StopDebugger",
	}.check(t, pass(t, about(session, target(pod), at(after(30*time.Minute)))))
	heard := fixture.Exited(after(30*time.Minute), 124, "Error", "debugsession: ended at its deadline\n")
	p := pass(t, about(session, target(debugged(session, heard)), at(after(30*time.Minute))))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeExpired}.check(t, p)
	if by := p.Status.Debugger.StoppedBy; by != v1alpha1.StoppedByDeadline {
		t.Errorf("stopped by %s: it was told, and the answer was lost", by)
	}
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
	ends("as it claims, and too early", session, fixture.Exited(after(time.Second), 124, "Error", "debugsession: ended at its deadline\n"),
		v1alpha1.OutcomeCompleted, v1alpha1.StoppedByCommand)
	ends("with that code, of its own", session, fixture.Exited(after(time.Second), 124, "Error", ""), v1alpha1.OutcomeCompleted,
		v1alpha1.StoppedByCommand)
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
