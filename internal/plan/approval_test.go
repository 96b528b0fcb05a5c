package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/policy"
)

// Whoever may approve may do so without end. A status that is too large for the API server could never say Ended.
func TestApprovalsWithoutEnd(t *testing.T) {
	session, one := active(t)
	session.Status.Class.ApprovalsRequired = 1
	session.Status.Request = &v1alpha1.RequestStatus{Hash: "sha256:0", Since: metav1.NewTime(now)}
	give := func(i int, by string, decision v1alpha1.Decision, ttl time.Duration) approval.Approval {
		said := fixture.Approval(fmt.Sprint("says-", i), session, decision, now.Add(time.Duration(i)*time.Second))
		said.Spec.Approver.Username, said.Spec.TTL = by, &metav1.Duration{Duration: ttl}
		if i < 50 || i >= 5000 { // those that are written down: as long as it may be
			said.Spec.Reason = "looks right" + strings.Repeat("\x01\x1b", 506)
		}
		return approval.Approval{DebugApproval: said, Sealed: true}
	}
	many := func(people int) (approvals []approval.Approval) {
		for i := range 5000 {
			approvals = append(approvals, give(i, fmt.Sprint("bob-", i%people), v1alpha1.DecisionApprove, time.Minute))
		}
		return approvals
	}
	for name, people := range map[string]int{"of one": 1, "of everybody": 5000} {
		t.Run(name, func(t *testing.T) {
			last := give(5000, "carol", v1alpha1.DecisionApprove, policy.DefaultTTL)
			approvals := plan.Found(append(many(people), last))
			v := about(session, target(one))
			v.approvals = &approvals
			p := pass(t, v)
			want{phase: v1alpha1.PhaseActive}.check(t, p)
			if text, _ := json.Marshal(p.Status.Approvals); len(text) > 64<<10 {
				t.Errorf("%d approvals are written down, %d bytes", len(p.Status.Approvals), len(text))
			}
			if !p.Status.ExpiresAt.Time.Equal(session.Status.ExpiresAt.Time) || !names(p.Status.Approvals)["says-5000"] {
				t.Errorf("ends at %s; the approval that it lasts by is not written down: %v", p.Status.ExpiresAt, p.Status.Approvals)
			}
			for _, a := range p.Status.Approvals {
				if !strings.HasPrefix(a.Reason, "looks right␁␛") {
					t.Errorf("the reason of %s is not written down: %q", a.Name, a.Reason)
				}
			}
			again := about(written(session, p), target(one))
			again.approvals = &approvals
			quiet(t, again.session, pass(t, again))

			denied := plan.Found(append(many(people), last, give(5001, "dave", v1alpha1.DecisionDeny, 0)))
			v.approvals = &denied
			p = pass(t, v)
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRevoked}.check(t, p)
			if !names(p.Status.Approvals)["says-5001"] {
				t.Error("the denial is not written down")
			}
		})
	}
}

func names(approvals []v1alpha1.ApprovalStatus) map[string]bool {
	all := map[string]bool{}
	for _, approval := range approvals {
		all[approval.Name] = true
	}
	return all
}
