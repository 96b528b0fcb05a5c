package plan_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// declared makes an emergency of a session.
func declared(s *v1alpha1.DebugSession) {
	s.Spec.Emergency, s.Spec.Reason = true, "INC-1: nobody answers"
}

// breakglass wants two people's approval, and lets an emergency start before it for ten minutes.
func breakglass(c *v1alpha1.DebugClassSpec) {
	fixture.Approvals(2)(c)
	c.Approval.Emergency = &v1alpha1.EmergencyPolicy{
		ReviewWithin: metav1.Duration{Duration: time.Hour},
		MaxTTL:       &metav1.Duration{Duration: 10 * time.Minute},
	}
}

// waitsInHaste is an emergency that has been written down what is asked of its approvers, and a view of it.
func waitsInHaste(t *testing.T, options ...fixture.SessionOption) (*v1alpha1.DebugSession, view) {
	t.Helper()
	session := fixture.Session(append([]fixture.SessionOption{declared}, options...)...)
	session.Finalizers = []string{v1alpha1.Finalizer}
	v := about(session, target(fixture.Pod()))
	v.class = new(plan.Found(fixture.Class(breakglass)))
	p := pass(t, v)
	want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, p)
	if p.Status.Request == nil || p.Status.Review != nil {
		t.Fatalf("asks for %+v, review %+v: what is made must be recorded first, and nothing has started", p.Status.Request,
			p.Status.Review)
	}
	v.session = written(session, p)
	v.mayDeclare = new(plan.Found(true))
	return v.session, v
}

func saidBy(session *v1alpha1.DebugSession, by string, decision v1alpha1.Decision) approval.Approval {
	said := fixture.Approval(by, session, decision, now)
	said.Spec.Approver.Username = by
	return approval.Approval{DebugApproval: said, Sealed: true}
}

// An emergency passes the gate of the approvals, and no other.
func TestAnEmergencyStartsBeforeItsApproval(t *testing.T) {
	for name, tc := range map[string]struct {
		option fixture.SessionOption
		change func(*v1alpha1.DebugSession, *view)
		want   want
		starts bool
	}{
		"starts": {starts: true, want: want{phase: v1alpha1.PhaseStarting, warns: "Emergency"}},
		"has one of two": {starts: true, change: func(s *v1alpha1.DebugSession, v *view) {
			v.approvals = new(plan.Found([]approval.Approval{saidBy(s, "bob", v1alpha1.DecisionApprove)}))
		}, want: want{phase: v1alpha1.PhaseStarting, warns: "Emergency"}},
		"was denied": {change: func(s *v1alpha1.DebugSession, v *view) {
			v.approvals = new(plan.Found([]approval.Approval{saidBy(s, "bob", v1alpha1.DecisionDeny)}))
		}, want: want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeDenied, warns: "Denied"}},
		"was denied just now": {change: func(s *v1alpha1.DebugSession, v *view) {
			v.freshApprovals = new(plan.Found([]approval.Approval{saidBy(s, "bob", v1alpha1.DecisionDeny)}))
		}, want: want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeDenied, warns: "Denied"}},
		"may not be one": {
			change: func(_ *v1alpha1.DebugSession, v *view) { v.mayDeclare = new(plan.Found(false)) },
			want:   want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "EmergencyForbidden", warns: "Rejected"},
		},
		"may perhaps be one": {
			change: func(_ *v1alpha1.DebugSession, v *view) { v.mayDeclare = new(plan.Unknown[bool](errOffline)) },
			want:   want{phase: v1alpha1.PhasePending, retries: true, warns: "Unreadable"},
		},
		"may not use the class": {
			change: func(_ *v1alpha1.DebugSession, v *view) { v.mayUse = new(plan.Found(false)) },
			want:   want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "UseForbidden", warns: "Rejected"},
		},
		"the class says no more": {change: func(_ *v1alpha1.DebugSession, v *view) {
			v.class = new(plan.Found(fixture.Class(fixture.Approvals(2))))
		}, want: want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", warns: "Rejected"}},
		"approvals are unreadable": {change: func(_ *v1alpha1.DebugSession, v *view) {
			v.freshApprovals = new(plan.Unknown[[]approval.Approval](errOffline))
		},
			want: want{phase: v1alpha1.PhaseAwaitingApproval, retries: true, warns: "Unreadable"}},
		"is none": {
			option: func(s *v1alpha1.DebugSession) { s.Spec.Emergency = false },
			want:   want{phase: v1alpha1.PhaseAwaitingApproval, wakes: now.Add(time.Hour)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			options := []fixture.SessionOption{}
			if tc.option != nil {
				options = append(options, tc.option)
			}
			session, v := waitsInHaste(t, options...)
			if tc.change != nil {
				tc.change(session, &v)
			}
			p := pass(t, v)
			tc.want.check(t, p)
			if got := p.Status.Review != nil; got != tc.starts {
				t.Errorf("review %+v, want one: %t", p.Status.Review, tc.starts)
			}
			if tc.starts &&
				(!p.Status.ExpiresAt.Time.Equal(now.Add(10*time.Minute)) || !p.Status.Review.DueAt.Time.Equal(now.Add(time.Hour)) ||
					meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReviewed).Reason != v1alpha1.ReasonAwaitingReview) {
				t.Errorf("expires at %s, review %+v", p.Status.ExpiresAt, p.Status.Review)
			}
		})
	}
}

// hasty is a session that started before its approval, and runs.
func hasty(t *testing.T) (*v1alpha1.DebugSession, view) {
	t.Helper()
	_, v := waitsInHaste(t)
	session := written(v.session, pass(t, v))
	pod := debugged(session, fixture.Running(now))
	v = about(session, target(pod))
	v.session = written(session, pass(t, v))
	return v.session, v
}

// Whoever may approve it has the last word also while it runs.
func TestTheReviewOfAnEmergencyThatRuns(t *testing.T) {
	t.Run("is awaited", func(t *testing.T) {
		session, v := hasty(t)
		p := pass(t, v)
		want{phase: v1alpha1.PhaseActive, wakes: session.Status.ExpiresAt.Time}.check(t, p)
		quiet(t, session, p)
	})
	t.Run("is not done by one of two, who may take it back", func(t *testing.T) {
		session, v := hasty(t)
		v.approvals = new(plan.Found([]approval.Approval{saidBy(session, "bob", v1alpha1.DecisionApprove)}))
		p := pass(t, v)
		want{phase: v1alpha1.PhaseActive}.check(t, p)
		v.session, v.approvals = written(session, p), nil
		want{phase: v1alpha1.PhaseActive}.check(t, pass(t, v))
	})
	t.Run("acknowledges it, and lets it last as approved", func(t *testing.T) {
		session, v := hasty(t)
		v.approvals = new(plan.Found(
			[]approval.Approval{saidBy(session, "bob", v1alpha1.DecisionApprove), saidBy(session, "carol", v1alpha1.DecisionApprove)}))
		p := pass(t, v)
		want{phase: v1alpha1.PhaseActive}.check(t, p)
		if review := p.Status.Review; review.Decision != v1alpha1.DecisionApprove || review.By != "bob, carol" || review.AfterEnd ||
			review.NextReminder != nil ||
			!meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReviewed) ||
			!meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionApproved) {
			t.Errorf("review %+v, conditions %+v", review, p.Status.Conditions)
		}
		acknowledged := written(session, p)
		taken := v
		taken.session, taken.approvals = acknowledged, new(
			plan.Found([]approval.Approval{saidBy(session, "bob", v1alpha1.DecisionApprove)}))
		p = pass(t, taken)
		want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRevoked}.check(t, p)
		if p.Status.AwaitsReview() {
			t.Error("a review is final")
		}
	})
	t.Run("denies it", func(t *testing.T) {
		session, v := hasty(t)
		v.approvals = new(plan.Found([]approval.Approval{saidBy(session, "bob", v1alpha1.DecisionDeny)}))
		p := pass(t, v)
		want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRevoked, warns: "DeniedInReview"}.check(t, p)
		if p.Status.Review.Decision != v1alpha1.DecisionDeny {
			t.Errorf("review %+v", p.Status.Review)
		}
	})
	t.Run("is not the requester's own", func(t *testing.T) {
		session, v := hasty(t)
		v.approvals = new(plan.Found(
			[]approval.Approval{saidBy(session, "alice", v1alpha1.DecisionApprove), saidBy(session, "bob", v1alpha1.DecisionApprove)}))
		if p := pass(t, v); !p.Status.AwaitsReview() {
			t.Errorf("review %+v", p.Status.Review)
		}
	})
}

// The review outlives the session, and the session is kept for it.
func TestTheReviewOfAnEmergencyThatHasEnded(t *testing.T) {
	session, _ := hasty(t)
	session = ending(t, session)
	session = written(session, pass(t, about(session, targetIs(absent()))))
	session.Finalizers = nil
	session.Status.Class.Retention = &v1alpha1.Duration{Duration: time.Hour}
	due := session.Status.Review.DueAt.Time
	late := due.Add(48 * time.Hour)

	v := about(session)
	p := pass(t, v)
	want{phase: v1alpha1.PhaseEnded, outcome: session.Status.Outcome, wakes: due}.check(t, p)
	quiet(t, session, p)

	unread := about(session, at(late))
	unread.approvals = new(plan.Unknown[[]approval.Approval](errOffline))
	if p := pass(t, unread); p.Retry == nil || len(p.Actions) > 0 {
		t.Errorf("retries %v, does %q", p.Retry, does(p))
	}

	overdue := pass(t, about(session, at(late)))
	if !overdue.Status.ReviewOverdue() || len(overdue.Events) != 1 || overdue.Events[0].Reason != v1alpha1.ReasonReviewOverdue ||
		len(overdue.Actions) > 0 ||
		!overdue.WakeAt.Equal(late.Add(approval.ReviewReminder)) {
		t.Errorf("says %+v, does %q, wakes at %s", overdue.Events, does(overdue), overdue.WakeAt)
	}
	session = written(session, overdue)
	quiet(t, session, pass(t, about(session, at(late.Add(time.Hour)))))
	again := pass(t, about(session, at(late.Add(approval.ReviewReminder))))
	if len(again.Events) != 1 {
		t.Errorf("a day later it says %+v", again.Events)
	}

	for name, tc := range map[string]struct {
		by     []approval.Approval
		want   v1alpha1.Decision
		reason string
	}{
		"acknowledged": {
			[]approval.Approval{saidBy(session, "bob", v1alpha1.DecisionApprove), saidBy(session, "carol", v1alpha1.DecisionApprove)},
			v1alpha1.DecisionApprove,
			"Acknowledged",
		},
		"denied": {[]approval.Approval{saidBy(session, "bob", v1alpha1.DecisionDeny)}, v1alpha1.DecisionDeny, "DeniedInReview"},
		"by one": {[]approval.Approval{saidBy(session, "bob", v1alpha1.DecisionApprove)}, "", "ReviewOverdue"},
		"by herself": {
			[]approval.Approval{saidBy(session, "alice", v1alpha1.DecisionApprove), saidBy(session, "bob", v1alpha1.DecisionApprove)},
			"",
			"ReviewOverdue",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := about(session, at(late))
			v.approvals = new(plan.Found(tc.by))
			p := pass(t, v)
			reviewed := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReviewed)
			if p.Status.Review.Decision != tc.want || p.Status.Review.AfterEnd != (tc.want != "") || reviewed.Reason != tc.reason ||
				p.Status.Outcome != session.Status.Outcome {
				t.Errorf("review %+v, condition %+v, outcome %s", p.Status.Review, reviewed, p.Status.Outcome)
			}
			if tc.want == "" {
				return
			}
			done := plan.Decide(plan.Snapshot{Session: written(session, p), Now: late})
			if done.Ask != nil || does(done) != "DeleteSession" || len(done.Events) > 0 {
				t.Errorf("reviewed: asks %T, does %q: retention is its own again", done.Ask, does(done))
			}
		})
	}
}

// What was approved goes on to count when a session that waits becomes an emergency.
func TestTheHashOfAnEmergency(t *testing.T) {
	_, v := waitsInHaste(t, func(s *v1alpha1.DebugSession) { s.Spec.Emergency = false })
	v.approvals = new(plan.Found(
		[]approval.Approval{saidBy(v.session, "bob", v1alpha1.DecisionApprove), saidBy(v.session, "carol", v1alpha1.DecisionApprove)}))
	v.session = v.session.DeepCopy()
	declared(v.session)
	v.session.Spec.Requester.Seal = "as admission seals the emergency"
	p := pass(t, v)
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	if p.Status.Review != nil {
		t.Errorf("it was approved, and is to be reviewed: %+v", p.Status.Review)
	}
}
