package debugsession

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// messagePause is how long a status is not written again if only the message of what is retried differs.
const messagePause = 15 * time.Second

// writeStatus writes the status, once and only if it differs from the stored one, and then tells what has become true by it.
func (r *Reconciler) writeStatus(ctx context.Context, session *v1alpha1.DebugSession, before v1alpha1.DebugSessionStatus, p plan.Plan,
	patch func(before, after *v1alpha1.DebugSession) client.Patch,
) error {
	// The notifier writes what sinks were told, and admission who deletes, and may have since the plan was made: a finalizer's removal
	// brings that along.
	p.Status.Notifications, p.Status.DeletedBy = before.Notifications, before.DeletedBy
	if p.Status.Audit == nil { // so does the recorder, once a session that did not wait for it has ended
		p.Status.Audit = before.Audit
	}
	if p.Status.Transcript == nil {
		p.Status.Transcript = before.Transcript
	}
	if equality.Semantic.DeepEqual(before, p.Status) {
		return nil
	}
	// A write has the session looked at at once. What says something else at each try, be it the port that it was tried from,
	// would be tried without a pause.
	now := r.Clock.Now()
	if left := r.states.get(session).retriedAt.Add(messagePause).Sub(now); p.Retry != nil && left > 0 && onlyMessagesDiffer(before, p.Status) {
		r.Enqueuer.EnqueueAfter(client.ObjectKeyFromObject(session), left) // the next try may be much later
		return nil
	}
	base := session.DeepCopy()
	base.Status = before
	session.Status = p.Status
	if err := r.Client.Status().Patch(ctx, session, patch(base, session)); err != nil {
		return err
	}
	r.states.wrote(session)
	r.states.update(session, func(s *sessionState) {
		s.unwritten = nil
		if p.Retry != nil {
			s.retriedAt = now
		}
	})
	for _, e := range p.Events {
		r.Events.Eventf(session, nil, e.Type, e.Reason, "Debug", "%s", e.Note)
	}
	r.recordPhaseChange(ctx, session, before.Phase)
	if before.AwaitsReview() && !session.Status.AwaitsReview() && session.Status.Review.AfterEnd {
		r.Records.Log(ctx, session) // anew: the record that was made at its end could not tell
	}
	return nil
}

// onlyMessagesDiffer reports whether two statuses differ in nothing but the messages of their conditions.
func onlyMessagesDiffer(a, b v1alpha1.DebugSessionStatus) bool {
	return equality.Semantic.DeepEqual(withoutMessages(a), withoutMessages(b))
}

func withoutMessages(status v1alpha1.DebugSessionStatus) v1alpha1.DebugSessionStatus {
	status.Conditions = slices.Clone(status.Conditions)
	for i := range status.Conditions {
		status.Conditions[i].Message = ""
	}
	return status
}

// wantedAt is since when the session's debugger is waited for: since it was created, or triggered if it was armed.
func wantedAt(session *v1alpha1.DebugSession) time.Time {
	if armed := session.Status.Armed; armed != nil && armed.TriggeredAt != nil {
		return armed.TriggeredAt.Time
	}
	return session.CreationTimestamp.Time
}

// recordPhaseChange logs and measures a change of phase that was persisted.
func (r *Reconciler) recordPhaseChange(ctx context.Context, session *v1alpha1.DebugSession, before v1alpha1.Phase) {
	status := &session.Status
	if status.Phase == before {
		return
	}
	switch status.Phase {
	case v1alpha1.PhaseActive:
		if !session.Spec.HasMembers() { // it is its members that are waited for
			r.Metrics.Ready(session.Spec.Mode, r.Clock.Since(wantedAt(session)))
		}
	case v1alpha1.PhaseEnded:
		r.Metrics.Ended(session)
	case v1alpha1.PhasePending, v1alpha1.PhaseAwaitingApproval, v1alpha1.PhaseStarting, v1alpha1.PhaseEnding:
	}
	if status.Phase == v1alpha1.PhaseEnded {
		r.Records.Log(ctx, session)
	}
	log.FromContext(ctx).Info("session moved", append([]any{"from", before, "to", status.Phase}, auditLog(session)...)...)
}
