package approval_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
)

var asked = fixture.Created.Add(time.Second)

// asking is a session that asks for approval.
func asking() *v1alpha1.DebugSession {
	session := fixture.Session()
	session.Status.Request = &v1alpha1.RequestStatus{Hash: "sha256:1", Since: metav1.NewTime(asked)}
	session.Status.Class = &v1alpha1.ClassStatus{
		ApprovalsRequired: 2, ApprovalTimeout: &v1alpha1.Duration{Duration: time.Minute}, TTL: v1alpha1.Duration{Duration: time.Hour},
	}
	return session
}

func given(session *v1alpha1.DebugSession, by string, ttl time.Duration) approval.Approval {
	said := fixture.Approval("from-"+by, session, v1alpha1.DecisionApprove, asked)
	said.Spec.Approver.Username, said.Spec.TTL = by, &metav1.Duration{Duration: ttl}
	return approval.Approval{DebugApproval: said, Sealed: true}
}

func TestEvaluate(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*approval.Approval, *v1alpha1.DebugSession)
		reason string
	}{
		"for the session":  {func(*approval.Approval, *v1alpha1.DebugSession) {}, v1alpha1.ReasonCounted},
		"while none asked": {func(a *approval.Approval, _ *v1alpha1.DebugSession) { a.Unbound = true }, v1alpha1.ReasonUnbound},
		"of nobody":        {func(a *approval.Approval, _ *v1alpha1.DebugSession) { a.Spec.Approver = nil }, v1alpha1.ReasonUnbound},
		"without a seal":   {func(a *approval.Approval, _ *v1alpha1.DebugSession) { a.Sealed = false }, v1alpha1.ReasonNotTrusted},
		"for another session": {
			func(_ *approval.Approval, s *v1alpha1.DebugSession) { s.UID = fixture.OtherUID },
			v1alpha1.ReasonOtherSession,
		},
		"for another request": {
			func(_ *approval.Approval, s *v1alpha1.DebugSession) { s.Status.Request.Hash = "sha256:2" },
			v1alpha1.ReasonOtherRequest,
		},
		"after its time": {func(a *approval.Approval, _ *v1alpha1.DebugSession) {
			a.CreationTimestamp.Time = asked.Add(time.Minute)
		}, v1alpha1.ReasonSessionEnded},
		"of the requester": {
			func(a *approval.Approval, s *v1alpha1.DebugSession) { a.Spec.Approver = s.Spec.Requester },
			v1alpha1.ReasonSelfApproval,
		},
		"of one who may": {func(a *approval.Approval, s *v1alpha1.DebugSession) {
			a.Spec.Approver, s.Status.Class.SelfApproval = s.Spec.Requester, true
		}, v1alpha1.ReasonCounted},
		"a requester's denial": {func(a *approval.Approval, s *v1alpha1.DebugSession) {
			a.Spec.Approver, a.Spec.Decision = s.Spec.Requester, v1alpha1.DecisionDeny
		}, v1alpha1.ReasonCounted},
	} {
		session := asking()
		one := given(session, "bob", time.Hour)
		tc.change(&one, session)
		verdict := approval.Evaluate(one, session)
		if verdict.Reason != tc.reason || verdict.Counts != (tc.reason == v1alpha1.ReasonCounted) || verdict.Message == "" {
			t.Errorf("%s: %+v, want %s", name, verdict, tc.reason)
		}
	}
	if verdict := approval.Evaluate(given(asking(), "bob", time.Hour), nil); verdict.Reason != v1alpha1.ReasonOtherSession {
		t.Errorf("a session that is gone: %+v", verdict)
	}
}
