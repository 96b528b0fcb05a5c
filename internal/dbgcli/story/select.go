package story

import (
	"cmp"
	"slices"

	"debugsession.dev/operator/api/v1alpha1"
)

// RequestedBy are the sessions that somebody asked for.
func RequestedBy(sessions []v1alpha1.DebugSession, user string) []v1alpha1.DebugSession {
	return only(sessions, func(s *v1alpha1.DebugSession) bool {
		return s.Spec.Requester != nil && s.Spec.Requester.Username == user
	})
}

// Running are the sessions that have not ended.
func Running(sessions []v1alpha1.DebugSession) []v1alpha1.DebugSession {
	return only(sessions, func(s *v1alpha1.DebugSession) bool { return !Over(s) })
}

// Waiting are the sessions that wait for approval, or started before it and wait for their review.
func Waiting(sessions []v1alpha1.DebugSession) []v1alpha1.DebugSession {
	return only(sessions, func(s *v1alpha1.DebugSession) bool {
		return s.Status.Phase == v1alpha1.PhaseAwaitingApproval || s.Status.AwaitsReview()
	})
}

func only(sessions []v1alpha1.DebugSession, want func(*v1alpha1.DebugSession) bool) []v1alpha1.DebugSession {
	var some []v1alpha1.DebugSession
	for i := range sessions {
		if want(&sessions[i]) {
			some = append(some, sessions[i])
		}
	}
	return some
}

// Sort orders sessions for a person: those that go on before those that have ended, and the newest first.
func Sort(sessions []v1alpha1.DebugSession) {
	slices.SortStableFunc(sessions, func(a, b v1alpha1.DebugSession) int {
		if Ended(&a) != Ended(&b) {
			if Ended(&b) {
				return -1
			}
			return 1
		}
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
}
