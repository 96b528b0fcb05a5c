package story

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
)

var now = time.Date(2026, 11, 27, 11, 40, 0, 0, time.UTC)

func at(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

func session(change func(*v1alpha1.DebugSession)) *v1alpha1.DebugSession {
	s := &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{Name: "hang", Namespace: "shop", CreationTimestamp: *at(-time.Minute)},
		Spec: v1alpha1.DebugSessionSpec{
			ClassName: "production", Reason: "INC-1", Mode: v1alpha1.ModeEphemeralContainer,
			Target:    v1alpha1.Target{Workload: &v1alpha1.Workload{Kind: "Deployment", Name: "checkout"}},
			Requester: &v1alpha1.Identity{Username: "alice"},
		},
		Status: v1alpha1.DebugSessionStatus{
			Target: &v1alpha1.TargetStatus{Name: "checkout-x", PodName: "checkout-x", Container: "app"},
			Class: &v1alpha1.ClassStatus{
				TTL: v1alpha1.Duration{Duration: 30 * time.Minute}, ApprovalTimeout: &v1alpha1.Duration{Duration: time.Hour},
				ApprovalsRequired: 1,
				Image:             "busybox:1.36", AccessVerbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach},
			},
		},
	}
	change(s)
	return s
}

func stand(phase v1alpha1.Phase, condition, reason, message string) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		s.Status.Phase, s.Status.Reason = phase, reason
		s.Status.Conditions = append(s.Status.Conditions,
			metav1.Condition{Type: condition, Status: metav1.ConditionFalse, Reason: reason, Message: message})
	}
}

// What a kubelet pulls is news only while nothing else holds the debugger up.
func TestProgressOfAPull(t *testing.T) {
	starting := func(reason, message string) *v1alpha1.DebugSession {
		s := session(stand(v1alpha1.PhaseStarting, v1alpha1.ConditionDebuggerReady, reason, message))
		s.Status.StartedAt = at(-12 * time.Second)
		return s
	}
	for want, s := range map[string]*v1alpha1.DebugSession{
		"pulling big:1, 12s":           starting(v1alpha1.ReasonStarting, v1alpha1.MessageStarting),
		"its image is not there, 12s":  starting("ErrImagePull", "its image is not there"),
		"the target is not ready, 12s": starting(v1alpha1.ReasonTargetNotRunning, "the target is not ready"),
	} {
		if text, timing := ProgressWith(s, "big:1", now); text+timing != want {
			t.Errorf("got %q, want %q", text+timing, want)
		}
	}
}

func TestProgress(t *testing.T) {
	for want, s := range map[string]*v1alpha1.DebugSession{
		"waiting for the operator, 1m": session(func(*v1alpha1.DebugSession) {}),
		"there is no pod \"web\", 1m": session(stand(v1alpha1.PhasePending, v1alpha1.ConditionAdmissible, v1alpha1.ReasonTargetNotFound,
			`there is no pod "web"`)),
		"waiting for 1 approval, 50m left": session(func(s *v1alpha1.DebugSession) {
			s.Status.Phase, s.Status.WaitingFor, s.Status.Request = v1alpha1.PhaseAwaitingApproval, "1 approval", &v1alpha1.RequestStatus{
				Since: *at(-10 * time.Minute),
			}
		}),
		"starting busybox:1.36 in pod checkout-x, 12s": session(func(s *v1alpha1.DebugSession) {
			s.Status.Phase, s.Status.StartedAt = v1alpha1.PhaseStarting, at(-12*time.Second)
		}),
		"starting busybox:1.36 in a copy of pod checkout-x, 12s": session(func(s *v1alpha1.DebugSession) {
			stand(v1alpha1.PhaseStarting, v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonStarting, v1alpha1.MessageStarting)(s)
			s.Spec.Mode, s.Status.StartedAt = v1alpha1.ModePodCopy, at(-12*time.Second)
		}),
		"starting busybox:1.36 in a pod of its own, with pvc/data, 12s": session(func(s *v1alpha1.DebugSession) {
			stand(v1alpha1.PhaseStarting, v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonStarting, v1alpha1.MessageStarting)(s)
			s.Spec.Mode, s.Status.StartedAt = v1alpha1.ModePodCopy, at(-12*time.Second)
			s.Status.Target = &v1alpha1.TargetStatus{Name: "pvc/data", ClaimUID: "1"}
		}),
		"its image is not there, 1h5m": session(func(s *v1alpha1.DebugSession) {
			stand(v1alpha1.PhaseStarting, v1alpha1.ConditionDebuggerReady, "ErrImagePull", "its image is not there")(s)
			s.Status.StartedAt = at(-65 * time.Minute)
		}),
	} {
		if text, timing := Progress(s, now); text+timing != want {
			t.Errorf("%q, want %q", text+timing, want)
		}
	}
}

func TestExitCode(t *testing.T) {
	for outcome, want := range map[v1alpha1.Outcome]int{
		v1alpha1.OutcomeCompleted: 3, v1alpha1.OutcomeExpired: 124, v1alpha1.OutcomeTimedOut: 124, v1alpha1.OutcomeDenied: 120,
		v1alpha1.OutcomeTargetGone: 121, v1alpha1.OutcomeRejected: 122, v1alpha1.OutcomeNotStarted: 122, v1alpha1.OutcomeFailed: 122,
		v1alpha1.OutcomeTerminated: 123, v1alpha1.OutcomeRevoked: 123,
	} {
		ended := session(func(s *v1alpha1.DebugSession) {
			s.Status.Outcome, s.Status.Debugger = outcome, &v1alpha1.DebuggerStatus{ExitCode: ptr.To[int32](3)}
		})
		if got := ExitCode(ended); got != want {
			t.Errorf("%s: %d, want %d", outcome, got, want)
		}
		ending := session(stand(v1alpha1.PhaseEnding, v1alpha1.ConditionEnded, string(outcome), "why"))
		ending.Status.Debugger = ended.Status.Debugger
		if got := ExitCode(ending); got != want {
			t.Errorf("%s to come: %d, want %d", outcome, got, want)
		}
	}
}

func TestTell(t *testing.T) {
	s := session(func(s *v1alpha1.DebugSession) {
		stand(v1alpha1.PhaseEnded, v1alpha1.ConditionEnded, "Completed", "its command ended")(s)
		s.Status.Outcome, s.Status.Request = v1alpha1.OutcomeCompleted, &v1alpha1.RequestStatus{Since: *at(-50 * time.Second)}
		s.Status.Approvals = []v1alpha1.ApprovalStatus{{By: "bob", At: *at(-40 * time.Second), Decision: v1alpha1.DecisionApprove}}
		s.Status.StartedAt, s.Status.EndedAt, s.Status.ExpiresAt = at(-30*time.Second), at(-5*time.Second), at(time.Hour)
		s.Status.Debugger = &v1alpha1.DebuggerStatus{
			PodName: "checkout-x", ContainerName: "debugger-1", StartedAt: at(-29 * time.Second), FinishedAt: at(-6 * time.Second),
			ExitCode: ptr.To[int32](3), StoppedBy: v1alpha1.StoppedByCommand,
		}
		s.Spec.Reason = "INC-1\033[2J\u202e"
	})
	var told []string
	for _, moment := range Tell(s) {
		told = append(told, moment.At.Sub(now).String()+" "+moment.Text)
	}
	want := []string{
		"-1m0s alice requested a debugger in deployment checkout for 30m, class production: INC-1\u241b[2J\uFFFD",
		"-50s 1 approval was requested",
		"-40s bob approved it",
		"-30s started: container debugger-1 in pod checkout-x",
		"-29s the debugger started",
		"-6s the debugger ended with exit code 3, on its own",
		"-5s ended: Completed: its command ended",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

// An emergency that has ended says that it is to be reviewed, by whom it may be, and then how it was.
func TestEmergency(t *testing.T) {
	s := session(func(s *v1alpha1.DebugSession) {
		stand(v1alpha1.PhaseEnded, v1alpha1.ConditionEnded, "Completed", "its command ended")(s)
		s.Status.Outcome, s.Status.StartedAt, s.Status.EndedAt = v1alpha1.OutcomeCompleted, at(-30*time.Second), at(-5*time.Second)
		s.Status.Review = &v1alpha1.ReviewStatus{Since: *at(-30 * time.Second), DueAt: *at(time.Hour)}
		stand(v1alpha1.PhaseEnded, v1alpha1.ConditionReviewed, v1alpha1.ReasonAwaitingReview, "0 of 1 approvals")(s)
	})
	told := func() (text string) {
		for _, moment := range Tell(s) {
			text += moment.At.Sub(now).String() + " " + moment.Text + "\n"
		}
		return text
	}
	for _, want := range []string{"-30s started before its approval, as an emergency: ", "1h0m0s its review is due\n"} {
		if text := told(); !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if waiting := Waiting([]v1alpha1.DebugSession{*s}); len(waiting) != 1 || !MayApprove(s, "bob") || MayApprove(s, "alice") ||
		Counts(s, "word") {
		t.Errorf("waiting %d; bob may review it: %t, alice: %t", len(waiting), MayApprove(s, "bob"), MayApprove(s, "alice"))
	}
	if row, facts := strings.Join(Row(s, now), " | "), Request(s); !strings.Contains(row, "awaiting review") ||
		!slices.ContainsFunc(facts, func(f Fact) bool { return f.Name == "emergency" }) {
		t.Errorf("row %s, who reviews sees %v", row, facts)
	}
	if next := Next(s); !strings.Contains(next, "to review it: kubectl dbg approve hang -n shop") {
		t.Errorf("next: %s", next)
	}
	s.Status.Conditions[1].Reason = v1alpha1.ReasonReviewOverdue
	if row := strings.Join(Row(s, now), " | "); !strings.Contains(row, "review overdue") {
		t.Errorf("row %s", row)
	}
	s.Status.Review.Decision, s.Status.Review.By, s.Status.Review.At = v1alpha1.DecisionDeny, "bob\033[2J", at(0)
	if review := Review(s); review != "denied in review by bob\u241b[2J" || !strings.Contains(told(), "0s "+review+"\n") ||
		len(Waiting([]v1alpha1.DebugSession{*s})) > 0 || !Counts(s, "word") {
		t.Errorf("review %q, told:\n%s", review, told())
	}
}

func TestRow(t *testing.T) {
	waiting := session(func(s *v1alpha1.DebugSession) {
		s.Status.Phase, s.Status.WaitingFor, s.Status.Request = v1alpha1.PhaseAwaitingApproval, "1 approval", &v1alpha1.RequestStatus{
			Since: *at(0),
		}
	})
	if got, want := strings.Join(Row(waiting, now), " | "),
		"hang | checkout-x | AwaitingApproval | 1 approval | 1h | alice | 1m"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for user, want := range map[string]bool{"alice": false, "bob": true} {
		if MayApprove(waiting, user) != want {
			t.Errorf("%s may approve: want %t", user, want)
		}
	}
	waiting.Status.Class.SelfApproval = true
	waiting.Status.Approvals = []v1alpha1.ApprovalStatus{{By: "bob"}}
	if !MayApprove(waiting, "alice") || MayApprove(waiting, "bob") {
		t.Error("a requester may where the class says so, and nobody may twice")
	}
}
