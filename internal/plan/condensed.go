package plan

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// A session that has ended and rests is kept for days, and there may be many of them. The cache holds a condensed copy of it
// (internal/kube/condensedcache): a field that is missing there is not empty.

// condensedOperation marks a condensed copy, as the operation of its only entry of managedFields. The API server refuses it as
// invalid: nobody can give a session the mark, and no update from a copy gets through.
const condensedOperation metav1.ManagedFieldsOperationType = "Condensed"

// CondensedMark is the managedFields of a condensed copy.
func CondensedMark() []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{{Operation: condensedOperation}}
}

// Condensed reports whether a session is a condensed copy from the cache: not to be written, and not to be read but for what is kept in it.
func Condensed(session *v1alpha1.DebugSession) bool {
	return len(session.ManagedFields) == 1 && session.ManagedFields[0].Operation == condensedOperation
}

// Rests reports whether the planner has nothing left to do about a session but to delete its record when its retention has passed. It
// asks for what endedGates would act on, so that what looks ended, and is not through with that, is planned for as a whole.
func Rests(session *v1alpha1.DebugSession) bool {
	status := &session.Status
	return status.Phase == v1alpha1.PhaseEnded && status.EndedAt != nil && !status.AwaitsReview() &&
		status.ObservedGeneration == session.Generation && !slices.Contains(session.Finalizers, v1alpha1.Finalizer)
}
