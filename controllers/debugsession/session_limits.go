package debugsession

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// observeRunning counts the other sessions of the class that run. The caller holds the lock.
func (r *Reconciler) observeRunning(ctx context.Context, session *v1alpha1.DebugSession) plan.Observed[plan.Running] {
	sessions := &v1alpha1.DebugSessionList{}
	if err := r.Client.List(ctx, sessions, client.UnsafeDisableDeepCopy); err != nil {
		return plan.Unknown[plan.Running](err)
	}
	var running plan.Running
	for i := range sessions.Items {
		other := r.states.peek(&sessions.Items[i])
		if other.UID == session.UID || other.Spec.ClassName != session.Spec.ClassName || !runs(other) {
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

func runs(session *v1alpha1.DebugSession) bool {
	return session.Status.StartedAt != nil && session.Status.Phase != v1alpha1.PhaseEnded
}
