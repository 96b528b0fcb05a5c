package notify

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

var t0 = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func at(after time.Duration) metav1.Time    { return metav1.NewTime(t0.Add(after)) }
func when(after time.Duration) *metav1.Time { return new(at(after)) }

// session is one that was asked for at t0 for half an hour, and has come as far as the changes say.
func session(changes ...func(*v1alpha1.DebugSession)) *v1alpha1.DebugSession {
	s := exampleSession()
	s.Status = v1alpha1.DebugSessionStatus{
		Phase: v1alpha1.PhaseAwaitingApproval, Request: &v1alpha1.RequestStatus{Hash: "sha256:0123456789abcdef", Since: at(0)},
		Class: &v1alpha1.ClassStatus{
			EndWarnings: []v1alpha1.Duration{{Duration: 5 * time.Minute}, {Duration: time.Minute}, {Duration: time.Hour}},
		},
	}
	for _, change := range changes {
		change(s)
	}
	return s
}

func decided(decision v1alpha1.Decision, after time.Duration) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		s.Status.Approvals = append(s.Status.Approvals, v1alpha1.ApprovalStatus{By: "bob", At: at(after), Decision: decision})
	}
}

func running(s *v1alpha1.DebugSession) {
	decided(v1alpha1.DecisionApprove, time.Minute)(s)
	s.Status.Phase, s.Status.StartedAt, s.Status.ExpiresAt = v1alpha1.PhaseActive, when(2*time.Minute), when(32*time.Minute)
	s.Status.Debugger = &v1alpha1.DebuggerStatus{StartedAt: when(3 * time.Minute)}
	s.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionTrue}}
}

func unasked(s *v1alpha1.DebugSession) {
	s.Status.Request, s.Status.Approvals, s.Status.Conditions = nil, nil, nil
}

// withMembers is running, with members that began to run a minute after one another, and one that has not.
func withMembers(numbers ...int32) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		running(s)
		s.Status.Debugger = nil
		for i, number := range numbers {
			s.Status.Members = append(s.Status.Members, v1alpha1.MemberStatus{Number: number, StartedAt: when(time.Duration(3+i) * time.Minute)})
		}
		s.Status.Members = append(s.Status.Members, v1alpha1.MemberStatus{})
	}
}

func ended(outcome v1alpha1.Outcome) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		s.Status.Phase, s.Status.Outcome, s.Status.EndedAt = v1alpha1.PhaseEnded, outcome, when(32*time.Minute)
	}
}

// hasty is an emergency, which has started or is about to.
func hasty(started bool) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		s.Spec.Emergency = true
		if started {
			running(s)
			s.Status.Approvals, s.Status.Conditions = nil, nil
			s.Status.Review = &v1alpha1.ReviewStatus{Since: at(2 * time.Minute), DueAt: at(24 * time.Hour),
				NextReminder: when(24 * time.Hour)}
		}
	}
}

func acknowledged(s *v1alpha1.DebugSession) {
	s.Status.Review.Decision, s.Status.Review.By, s.Status.Review.AfterEnd, s.Status.Review.NextReminder = v1alpha1.DecisionApprove,
		"bob", true, nil
}

func overdue(s *v1alpha1.DebugSession) {
	s.Status.Review.NextReminder = when(48 * time.Hour)
	s.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReviewed, Reason: v1alpha1.ReasonReviewOverdue}}
}

func asksForMore(s *v1alpha1.DebugSession) {
	s.Spec.TTL = &metav1.Duration{Duration: time.Hour}
	s.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionFalse,
		Reason: v1alpha1.ReasonShorterTTL, LastTransitionTime: at(10 * time.Minute)}}
}

func TestMoves(t *testing.T) {
	const approvedAt, warned5, warned1 = "Approved/1795780860", "AboutToEnd/1795782720-5m", "AboutToEnd/1795782720-1m"
	for name, test := range map[string]struct {
		session *v1alpha1.DebugSession
		gone    bool
		now     time.Duration
		want    []string
		next    time.Duration
	}{
		"not looked at yet": {session: &v1alpha1.DebugSession{}},
		"waits":             {session: session(), want: []string{"AwaitingApproval/0123456789ab-30m"}},
		"waits for one more": {
			session: session(decided(v1alpha1.DecisionApprove, time.Minute)),
			want:    []string{"AwaitingApproval/0123456789ab-30m"},
		},
		"runs": {
			session: session(running),
			now:     4 * time.Minute,
			want:    []string{"AwaitingApproval", approvedAt, "Active"},
			next:    27 * time.Minute,
		},
		"is about to end": {
			session: session(running),
			now:     27 * time.Minute,
			want:    []string{"AwaitingApproval", approvedAt, "Active", warned5},
			next:    31 * time.Minute,
		},
		"is just about to end": {
			session: session(running),
			now:     31 * time.Minute,
			want:    []string{"AwaitingApproval", approvedAt, "Active", warned1},
		},
		"its time is up": {
			session: session(running),
			now:     32 * time.Minute,
			want:    []string{"AwaitingApproval", approvedAt, "Active"},
		},
		"waits for a longer ttl": {
			session: session(running, asksForMore),
			now:     12 * time.Minute,
			want:    []string{approvedAt, "Active", "AwaitingApproval/0123456789ab-1h"},
			next:    27 * time.Minute,
		},
		"has ended": {
			session: session(running, ended(v1alpha1.OutcomeExpired)),
			now:     time.Hour,
			want:    []string{"AwaitingApproval", approvedAt, "Active", "Ended"},
		},
		"was denied": {
			session: session(decided(v1alpha1.DecisionDeny, time.Minute), ended(v1alpha1.OutcomeDenied)),
			now:     time.Hour,
			want:    []string{"AwaitingApproval", "Denied", "Ended"},
		},
		"was denied while it ran": {session: session(running, decided(v1alpha1.DecisionDeny, 9*time.Minute),
			ended(v1alpha1.OutcomeRevoked)),
			now: time.Hour, want: []string{"AwaitingApproval", approvedAt, "Active", "Denied", "Ended"}},
		"needed no approval": {
			session: session(running, func(s *v1alpha1.DebugSession) { s.Status.Request, s.Status.Approvals = nil, nil }),
			now:     4 * time.Minute,
			want:    []string{"Active"},
			next:    27 * time.Minute,
		},
		"debugs many pods":                 {session: session(withMembers(0, 0, 0), unasked), now: 10 * time.Minute, want: []string{"Active"}, next: 27 * time.Minute},
		"debugs none of its pods yet":      {session: session(withMembers(), unasked), now: 4 * time.Minute, next: 27 * time.Minute},
		"was triggered":                    {session: session(withMembers(1), unasked), now: 4 * time.Minute, want: []string{"Active/1"}, next: 27 * time.Minute},
		"was triggered for the third time": {session: session(withMembers(1, 2, 3), unasked), now: 10 * time.Minute, want: []string{"Active/3"}, next: 27 * time.Minute},
		"was rejected": {
			session: session(func(s *v1alpha1.DebugSession) { s.Status.Request = nil }, ended(v1alpha1.OutcomeRejected)),
			want:    []string{"Ended"},
		},
		"is an emergency that is about to start": {session: session(hasty(false))},
		"started before its approval": {
			session: session(hasty(true)),
			now:     4 * time.Minute,
			want:    []string{"Emergency", "Active"},
			next:    27 * time.Minute,
		},
		"has one approval of two": {session: session(hasty(true), decided(v1alpha1.DecisionApprove, time.Minute)), now: 4 * time.Minute,
			want: []string{"Emergency", "Active"}, next: 27 * time.Minute},
		"was reviewed after its end": {session: session(hasty(true), ended(v1alpha1.OutcomeExpired),
			decided(v1alpha1.DecisionApprove, time.Minute), acknowledged),
			now: time.Hour, want: []string{approvedAt, "Emergency", "Active", "Ended"}},
		"was not reviewed in time": {session: session(hasty(true), ended(v1alpha1.OutcomeExpired), overdue), now: 26 * time.Hour,
			want: []string{"Emergency", "ReviewOverdue/1795867200", "Active", "Ended"}},
		"was deleted while it waits": {session: session(), gone: true, want: []string{"AwaitingApproval/0123456789ab-30m", "Ended"}},
	} {
		t.Run(name, func(t *testing.T) {
			moves, next := movesOf(test.session, test.gone, t0.Add(test.now))
			var got []string
			for _, m := range moves {
				got = append(got, m.key())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if want := test.next; (want == 0) != next.IsZero() || want != 0 && !next.Equal(t0.Add(want)) {
				t.Errorf("next at %s, want %s", next, want)
			}
		})
	}
}

func TestMissed(t *testing.T) {
	waiting, over := session(), session(running, ended(v1alpha1.OutcomeExpired))
	now := t0.Add(time.Hour)
	for name, test := range map[string]struct {
		session    *v1alpha1.DebugSession
		sent       []string
		since, now time.Time
		want       []string
	}{
		"nothing was told": {
			session: over,
			now:     now,
			want:    []string{"AwaitingApproval", "Approved/1795780860", "Active", "Ended"},
		},
		"some was": {
			session: over,
			sent:    []string{"AwaitingApproval/0123456789ab-30m", "Approved/1795780860"},
			now:     now,
			want:    []string{"Active", "Ended"},
		},
		"all was": {
			session: over,
			sent:    []string{"AwaitingApproval/x", "Approved/1795780860", "Active", "Ended"},
			now:     now,
		},
		"another approval was": {
			session: over,
			sent:    []string{"AwaitingApproval/x", "Approved/1", "Active", "Ended"},
			now:     now,
			want:    []string{"Approved/1795780860"},
		},
		"the sink is new":               {session: over, since: t0.Add(3 * time.Minute), now: now, want: []string{"Active", "Ended"}},
		"the sink is new, and it waits": {session: waiting, since: now, now: now, want: []string{"AwaitingApproval/0123456789ab-30m"}},
		"it asks for something else": {
			session: waiting,
			sent:    []string{"AwaitingApproval/0123456789ab-10m"},
			now:     now,
			want:    []string{"AwaitingApproval/0123456789ab-30m"},
		},
		"it is long ago": {session: over, now: t0.Add(73 * time.Hour)},
		"it is long ago, and waits still": {
			session: waiting,
			now:     t0.Add(73 * time.Hour),
			want:    []string{"AwaitingApproval/0123456789ab-30m"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			moves, _ := movesOf(test.session, false, test.now)
			var got []string
			for _, m := range missed(moves, test.sent, test.since, test.now) {
				got = append(got, m.key())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is written down fits the API's bounds, however often a session asks for more.
func TestWhatIsWrittenDownIsBounded(t *testing.T) {
	var sent []string
	for i := range 100 {
		s := session(running, asksForMore, decided(v1alpha1.DecisionDeny, time.Minute),
			decided(v1alpha1.DecisionApprove, time.Duration(i)*time.Second))
		s.Spec.TTL.Duration = time.Duration(i)*time.Hour + 59*time.Minute + 59*time.Second
		moves, _ := movesOf(s, true, t0.Add(31*time.Minute))
		for _, m := range moves {
			sent = recorded(sent, m)
		}
	}
	if len(sent) > 8 || slices.ContainsFunc(sent, func(key string) bool { return len(key) > 64 }) {
		t.Errorf("%d: %q", len(sent), sent)
	}
}
