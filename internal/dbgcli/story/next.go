package story

import (
	"fmt"

	"debugsession.dev/operator/api/v1alpha1"
)

// Next is what one would type next, for whoever asked for a session.
func Next(session *v1alpha1.DebugSession) string {
	switch {
	case Attachable(session):
		return fmt.Sprintf("kubectl dbg attach %s", session.Name)
	case session.Status.Phase == v1alpha1.PhaseAwaitingApproval:
		return fmt.Sprintf("ask an approver: kubectl dbg approve %s -n %s", session.Name, session.Namespace)
	case session.Status.AwaitsReview():
		return fmt.Sprintf("ask an approver to review it: kubectl dbg approve %s -n %s", session.Name, session.Namespace)
	default:
		return ""
	}
}
