package debugsession

import (
	"context"
	"errors"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/jsonpatch"
	"debugsession.dev/operator/internal/kube/optimisticlock"
	"debugsession.dev/operator/internal/plan"
)

// An end is written down before it is carried out. Whoever may change a session could keep that from being written, and so
// keep the access, or outlast a denial: by writing the session so often that the operator always comes too late, or by making
// it so large that not a word can be added. Neither holds up an end.

// writeEnding deals with a status that was not written. It returns what has to be tried again.
func (r *Reconciler) writeEnding(ctx context.Context, session *v1alpha1.DebugSession, before v1alpha1.Phase, p plan.Plan, err error) error {
	switch {
	case err == nil, !ends(&p.Status):
		return optimisticlock.IgnoreConflictOrNotFound(err)
	case apierrors.IsConflict(err):
		return r.forceEndingStatus(ctx, session)
	case unwritable(err) && p.Status.Phase == v1alpha1.PhaseEnding && before != v1alpha1.PhaseEnding:
		return errors.Join(err, r.teardownWithoutStatus(ctx, session, p))
	default:
		return optimisticlock.IgnoreConflictOrNotFound(err)
	}
}

// ends reports whether a session is over.
func ends(status *v1alpha1.DebugSessionStatus) bool {
	return status.Phase == v1alpha1.PhaseEnding || status.Phase == v1alpha1.PhaseEnded
}

// unwritable reports whether the API server will not take a status however often it is sent.
func unwritable(err error) bool {
	return apierrors.IsInvalid(err) || diagnosis.TooLarge(err)
}

// forceEndingStatus looks once more, at what the API server has now: an edit may have put the end off. If not, the end is
// written whatever else is written meanwhile.
func (r *Reconciler) forceEndingStatus(ctx context.Context, session *v1alpha1.DebugSession) error {
	now := &v1alpha1.DebugSession{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(session), now); err != nil {
		return client.IgnoreNotFound(err)
	}
	if now.UID != session.UID || now.Status.Phase == "" {
		return nil // the watch is about to tell of it
	}
	stored := r.resume(now)
	decided, err := r.decide(ctx, now)
	defer decided.done()
	if err != nil || !ends(&decided.plan.Status) {
		return err
	}
	concluded := r.carryOut(ctx, now, decided)
	return errors.Join(concluded.Retry, optimisticlock.IgnoreConflictOrNotFound(r.writeStatus(ctx, now, stored, concluded, phaseGuardedPatch)))
}

// teardownWithoutStatus carries out an end that cannot be written down. The record is then behind, and nothing is open.
func (r *Reconciler) teardownWithoutStatus(ctx context.Context, session *v1alpha1.DebugSession, p plan.Plan) error {
	over := session.DeepCopy()
	over.Status = p.Status
	decided, err := r.decide(ctx, over)
	defer decided.done()
	if err != nil {
		return err
	}
	concluded := r.carryOut(ctx, over, decided)
	if !concluded.WakeAt.IsZero() {
		r.Enqueuer.EnqueueAfter(client.ObjectKeyFromObject(session), concluded.WakeAt.Sub(r.Clock.Now()))
	}
	return concluded.Retry
}

// optimisticLockPatch is a patch of the status that counts only for the very version that it was made from.
func optimisticLockPatch(before, _ *v1alpha1.DebugSession) client.Patch {
	return optimisticlock.Patch(before)
}

// phaseGuardedPatch is one that counts whatever was written since, if it is this session, and stands where it stood: nobody but the
// operator writes that. It writes only the fields that the pass has changed: what sinks were told is written beside it.
func phaseGuardedPatch(before, after *v1alpha1.DebugSession) client.Patch {
	patch := jsonpatch.Patch{
		jsonpatch.Test("/metadata/uid", before.UID),
		jsonpatch.Test("/status/phase", before.Status.Phase),
	}
	was, is := fieldsOf(&before.Status), fieldsOf(&after.Status)
	for _, field := range slices.Sorted(maps.Keys(is)) {
		if !equality.Semantic.DeepEqual(was[field], is[field]) {
			patch = append(patch, jsonpatch.Add("/status/"+field, is[field]))
		}
	}
	for _, field := range slices.Sorted(maps.Keys(was)) {
		if _, stays := is[field]; !stays {
			patch = append(patch, jsonpatch.Remove("/status/"+field))
		}
	}
	return patch
}

// fieldsOf are a status's fields as the API server has them.
func fieldsOf(status *v1alpha1.DebugSessionStatus) map[string]any {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(status)
	utilruntime.Must(err) // of a type of the API it cannot fail
	return fields
}
