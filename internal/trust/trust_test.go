package trust

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// believing is an admission that is in place, and sealed what it is asked about.
type believing struct {
	down    error
	leftOut string
	broken  bool
	since   time.Time
	policy  error
}

func (b believing) VerifySession(*v1alpha1.DebugSession) bool         { return !b.broken }
func (believing) VerifyApproval(*v1alpha1.DebugApproval) bool         { return true }
func (believing) VerifyUnboundApproval(*v1alpha1.DebugApproval) bool  { return false }
func (b believing) InPlace(context.Context) error                     { return b.down }
func (b believing) LeavesOut(context.Context, string) (string, error) { return b.leftOut, nil }
func (b believing) EnforcedSince(context.Context) (since time.Time, err error) {
	return b.since, b.policy
}

func TestApprovalIsVouchedFor(t *testing.T) {
	created := time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		admission believing
		decision  v1alpha1.Decision
		counted   bool
		want      bool
	}{
		"given while identities were held": {believing{since: created}, v1alpha1.DecisionApprove, false, true},
		"given before": {believing{since: created.Add(time.Second)}, v1alpha1.DecisionApprove,
			false, false},
		"given before, and counted then": {believing{since: created.Add(time.Second)},
			v1alpha1.DecisionApprove, true, true},
		"while the policy is gone": {believing{policy: errors.New("gone")}, v1alpha1.DecisionApprove,
			false, false},
		"while the policy is gone, what runs on it goes on": {believing{policy: errors.New("gone")},
			v1alpha1.DecisionApprove, true, true},
		"a denial permits nothing, so its seal is enough": {believing{since: created.Add(time.Second)},
			v1alpha1.DecisionDeny, false, true},
		"a denial while the policy is gone, which is no less": {believing{policy: errors.New("gone")}, v1alpha1.DecisionDeny, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session()
			session.UID, session.Status.Request, session.Status.Class = "1", &v1alpha1.RequestStatus{Hash: "h"}, &v1alpha1.ClassStatus{}
			approval := fixture.Approval("yes", session, tc.decision, created)
			if tc.counted {
				session.Status.Approvals = []v1alpha1.ApprovalStatus{{
					Name: approval.Name, By: approval.Spec.Approver.Username, At: approval.CreationTimestamp, Decision: tc.decision,
				}}
			}
			if got := vouched(t.Context(), tc.admission, tc.admission, approval, session); got != tc.want {
				t.Errorf("vouched %t, want %t", got, tc.want)
			}
		})
	}
}

func TestSessionIsTrusted(t *testing.T) {
	created := time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)
	after := created.Add(time.Second)
	waiting := v1alpha1.DebugSessionStatus{ObservedGeneration: 1, Phase: v1alpha1.PhasePending, Reason: v1alpha1.ReasonUnreadable}
	verified := v1alpha1.DebugSessionStatus{RequesterVerifiedAt: &metav1.Time{Time: created}}
	granted := v1alpha1.DebugSessionStatus{Class: &v1alpha1.ClassStatus{}}
	for name, tc := range map[string]struct {
		admission believing
		status    v1alpha1.DebugSessionStatus
		want      string
	}{
		"in place":                                        {believing{since: created}, v1alpha1.DebugSessionStatus{}, "trusted"},
		"not in place":                                    {believing{down: errors.New("gone")}, verified, "unknown"},
		"the policy is gone":                              {believing{policy: errors.New("gone")}, verified, "unknown"},
		"its namespace is left out":                       {believing{leftOut: "left out"}, verified, "refused"},
		"its seal is not of this key":                     {believing{since: created, broken: true}, verified, "refused"},
		"created before identities were held":             {believing{since: after}, v1alpha1.DebugSessionStatus{}, "refused"},
		"created before, looked at, and not verified":     {believing{since: after}, waiting, "refused"},
		"created before, and verified when they were":     {believing{since: after}, verified, "trusted"},
		"created before, and granted by an older version": {believing{since: after}, granted, "trusted"},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session()
			session.CreationTimestamp = metav1.NewTime(created)
			session.Status = tc.status
			refusal, err := Session(t.Context(), tc.admission, tc.admission, session)
			got := "trusted"
			if err != nil {
				got = "unknown"
			} else if refusal != nil {
				got = "refused"
			}
			if got != tc.want {
				t.Errorf("%s (%v, %v), want %s", got, refusal, err, tc.want)
			}
		})
	}
}
