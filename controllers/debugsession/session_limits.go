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
		if other.UID == session.UID || !runs(other) {
			continue
		}
		if other.Namespace == session.Namespace {
			running.InNamespace++
		}
		if other.Spec.Requester != nil && other.Spec.Requester.Username == session.Spec.Requester.Username {
			running.OfRequester++
		}
	}
	return plan.Found(running)
}

// runs reports whether the session counts in its class's limits. One that is armed does: it may start at any time.
func runs(session *v1alpha1.DebugSession) bool {
	armed := session.Status.Armed
	return (session.Status.StartedAt != nil || armed != nil && armed.Since != nil) && session.Status.Phase != v1alpha1.PhaseEnded
}
