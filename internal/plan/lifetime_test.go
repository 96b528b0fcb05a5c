package plan_test

import (
	"testing"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
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
		"later": {30 * time.Minute, new(time.Hour), want{phase: v1alpha1.PhaseActive, wakes: after(time.Hour)}, after(time.Hour)},
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
	want{phase: v1alpha1.PhaseActive, wakes: after(time.Hour)}.check(t, p)
}

// Once it is persisted that a session ends, whoever then lengthens its ttl or sets end back has come too late.
func TestNothingStopsAnEndThatWasPersisted(t *testing.T) {
	session, pod := active(t, fixture.TTL(time.Minute))
	p := pass(t, about(session, target(pod), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired}.check(t, p)

	session = written(session, p, fixture.TTL(time.Hour), func(s *v1alpha1.DebugSession) { s.Generation++ })
	p = pass(t, about(session, target(pod), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired, does: "StopDebugger"}.check(t, p)
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
