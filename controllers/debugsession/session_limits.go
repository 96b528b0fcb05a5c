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
// them, from before they are made until they have ended, so that they fit together or not at all.
func counts(session *v1alpha1.DebugSession) int32 {
	armed := session.Status.Armed
	switch {
	case session.Status.Phase == v1alpha1.PhaseEnded, session.Spec.MemberOf != nil:
		return 0
	case session.Status.StartedAt != nil && session.Spec.HasMembers():
		open := int32(0)
		for i := range session.Status.Members {
			if session.Status.Members[i].Phase != v1alpha1.PhaseEnded {
				open++
			}
		}
		return open
	case session.Status.StartedAt != nil, armed != nil && armed.Since != nil:
		return 1
	}
	return 0
}
