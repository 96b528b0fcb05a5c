package request

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// Approval is one person's word on a session as it asks now. A yes names what exactly it is a yes to, and for how long. A no means
// the session, whatever it asks for.
func Approval(session *v1alpha1.DebugSession, decision v1alpha1.Decision, reason, user string) *v1alpha1.DebugApproval {
	approval := &v1alpha1.DebugApproval{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugApproval"},
		ObjectMeta: metav1.ObjectMeta{Name: approvalName(session.Name, user), Namespace: session.Namespace},
		Spec: v1alpha1.DebugApprovalSpec{
			SessionName: session.Name, Decision: decision, Reason: reason, SessionUID: session.UID,
		},
	}
	if decision == v1alpha1.DecisionApprove && session.Status.Request != nil {
		approval.Spec.RequestHash = session.Status.Request.Hash
		if ttl := session.TTL(); ttl != 0 {
			approval.Spec.TTL = &metav1.Duration{Duration: ttl}
		}
	}
	return approval
}

func approvalName(session, user string) string {
	suffix := "-" + shortUser(user)
	return session[:min(len(session), 253-len(suffix)-len("-10"))] + suffix
}
