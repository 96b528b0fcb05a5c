package debugsession

import (
	"context"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/index"
	"debugsession.dev/operator/internal/plan"
)

// observeRunning counts the other sessions of the class that run, or are armed. The caller holds the lock.
func (r *Reconciler) observeRunning(ctx context.Context, session *v1alpha1.DebugSession) plan.Observed[plan.Running] {
	sessions, err := index.OpenSessionsOf(ctx, r.Client, session.Spec.ClassName)
	if err != nil {
		return plan.Unknown[plan.Running](err)
	}
	var running plan.Running
	for i := range sessions {
		other := r.states.peek(&sessions[i])
		if other.UID == session.UID {
			continue
		}
		many := counts(other)
		if other.Namespace == session.Namespace {
			running.InNamespace += many
		}
		if other.Spec.Requester != nil && other.Spec.Requester.Username == session.Spec.Requester.Username {
			running.OfRequester += many
		}
	}
	return plan.Found(running)
}

// counts is how much the session counts in its class's limits. One that is armed does: it may start at any time. One with members counts for
// them, from before they are made until they have ended, so that they fit together or not at all; one that is triggered more than once for all that
// it may have, from when it is armed.
func counts(session *v1alpha1.DebugSession) int32 {
	switch times := session.Spec.Target.Times(); {
	case session.Status.Phase == v1alpha1.PhaseEnded, session.Spec.MemberOf != nil, session.Status.StartedAt == nil && !session.Status.IsArmed():
		return 0
	case times > 0:
		return times - endedMembers(session)
	case session.Spec.HasMembers():
		return int32(len(session.Status.Members)) - endedMembers(session) // 50 at most
	}
	return 1
}

func endedMembers(session *v1alpha1.DebugSession) (ended int32) {
	for i := range session.Status.Members {
		if session.Status.Members[i].Phase == v1alpha1.PhaseEnded {
			ended++
		}
	}
	return ended
}
