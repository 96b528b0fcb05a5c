package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// report writes the status, once and only if it changed, and then tells what has become true by it.
func (r *DebugSessionReconciler) report(ctx context.Context, session *v1alpha1.DebugSession, p plan.Plan,
	patch func(before, after *v1alpha1.DebugSession) client.Patch,
) error {
	before := session.Status
	if equality.Semantic.DeepEqual(before, p.Status) {
		return nil
	}
	base := session.DeepCopy()
	session.Status = p.Status
	if err := r.Client.Status().Patch(ctx, session, patch(base, session)); err != nil {
		return err
	}
	r.written.remember(session)
	for _, e := range p.Events {
		r.Events.Eventf(session, nil, e.Type, e.Reason, "Debug", "%s", e.Note)
	}
	r.count(ctx, session, before.Phase)
	return nil
}

// count logs and measures a change of phase that was persisted.
func (r *DebugSessionReconciler) count(ctx context.Context, session *v1alpha1.DebugSession, before v1alpha1.Phase) {
	status := &session.Status
	if status.Phase == before {
		return
	}
	switch status.Phase {
	case v1alpha1.PhaseActive:
		r.Metrics.Ready(session.Spec.Mode, r.Clock.Since(session.CreationTimestamp.Time))
	case v1alpha1.PhaseEnded:
		r.Metrics.Ended(status.Outcome, session.Spec.Mode)
	}
	log.FromContext(ctx).Info("session moved", append([]any{"from", before, "to", status.Phase}, evidence(session)...)...)
}
