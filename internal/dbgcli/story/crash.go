package story

import (
	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/diagnosis"
)

// reasonTargetNotRunning is the reason of a session that waits for its target's container to be started again.
const reasonTargetNotRunning = "TargetNotRunning"

// TargetCrashes reports whether a session waits for a target's container that has ended and may end again, so that a copy would be
// there sooner.
func TargetCrashes(session *v1alpha1.DebugSession) bool {
	if session.Status.Phase != v1alpha1.PhasePending && session.Status.Phase != v1alpha1.PhaseStarting {
		return false
	}
	return session.Status.Reason == reasonTargetNotRunning || diagnosis.InvalidTarget(Message(session))
}
