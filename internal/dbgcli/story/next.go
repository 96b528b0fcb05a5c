package story

import (
	"fmt"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
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

// NextOfCreated is what one would type of a session that one does not attach to: that waits for a pod to crash, or has members; empty for any
// other.
func NextOfCreated(session *v1alpha1.DebugSession) string {
	if session.Spec.Target.All != nil {
		return fmt.Sprintf("it debugs each pod of %s, at most %d; to see what becomes of them: kubectl dbg describe %s -n %s",
			targetOf(session), session.Spec.Target.All.Max, session.Name, session.Namespace)
	}
	return NextOfArmed(session)
}

// NextOfArmed is what one would type of a session that waits for a pod to crash; empty for any other.
func NextOfArmed(session *v1alpha1.DebugSession) string {
	what := Awaited(session.Spec.Target.When)
	if what == "" || session.Spec.NotAfter == nil {
		return ""
	}
	often := "as soon as"
	if times := session.Spec.Target.Times(); times > 0 {
		often = fmt.Sprintf("%d times, each time that", times)
	}
	return fmt.Sprintf("it starts %s a pod of %s %s, until %s; to see what became of it: kubectl dbg describe %s -n %s",
		often, targetOf(session), what, plaintext.Clock(session.Spec.NotAfter.Time), session.Name, session.Namespace)
}

// Awaited is what a pod does that a session waits for; empty for one that starts as soon as it may.
func Awaited(when *v1alpha1.When) string {
	switch {
	case when == nil:
		return ""
	case when.NotReadyFor != nil:
		return "has not been ready for " + v1alpha1.FormatDuration(when.NotReadyFor.Duration)
	default:
		return "crashes"
	}
}
