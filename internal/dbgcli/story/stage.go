// Package story says where a session stands in words for people, and what to do next. It is pure: it asks nobody, and the
// time is a parameter.
package story

import (
	"debugsession.dev/operator/api/v1alpha1"
)

// Attachable reports whether one can attach to the session's debugger.
func Attachable(session *v1alpha1.DebugSession) bool {
	return session.Status.Phase == v1alpha1.PhaseActive && session.Status.Attach != "" && session.Status.Debugger != nil
}

// Over reports whether the session has ended, or does so now.
func Over(session *v1alpha1.DebugSession) bool {
	return session.Status.Phase == v1alpha1.PhaseEnding || session.Status.Phase == v1alpha1.PhaseEnded
}

// Ended reports whether the session has ended.
func Ended(session *v1alpha1.DebugSession) bool { return session.Status.Phase == v1alpha1.PhaseEnded }

// Message is what the session's status says about where it stands: the sentence beside its reason.
func Message(session *v1alpha1.DebugSession) string {
	order := []string{v1alpha1.ConditionAdmissible, v1alpha1.ConditionApproved, v1alpha1.ConditionDebuggerReady}
	switch session.Status.Phase {
	case v1alpha1.PhaseEnding, v1alpha1.PhaseEnded:
		order = []string{v1alpha1.ConditionEnded}
	case v1alpha1.PhaseStarting, v1alpha1.PhaseActive:
		order = []string{v1alpha1.ConditionDebuggerReady}
	case v1alpha1.PhasePending, v1alpha1.PhaseAwaitingApproval:
	}
	for _, kind := range order {
		for i := range session.Status.Conditions {
			c := &session.Status.Conditions[i]
			if c.Type == kind && (c.Reason == session.Status.Reason || kind == v1alpha1.ConditionEnded) && c.Message != "" {
				return c.Message
			}
		}
	}
	return ""
}
