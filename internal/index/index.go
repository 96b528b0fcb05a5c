// Package index has the manager's caches find objects by a field.
package index

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

const (
	sessionName = "spec.sessionName"        // of an approval
	madePod     = "status.debugger.podName" // of a session that has a pod of its own
	openOfClass = "spec.className"          // of a session that has not ended, or awaits review
)

// Add adds the indexes that the functions of this package list by.
func Add(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &v1alpha1.DebugApproval{}, sessionName, func(object client.Object) []string {
		return []string{object.(*v1alpha1.DebugApproval).Spec.SessionName}
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &v1alpha1.DebugSession{}, openOfClass, func(object client.Object) []string {
		session := object.(*v1alpha1.DebugSession)
		if session.Status.Phase == v1alpha1.PhaseEnded && !session.Status.AwaitsReview() {
			return nil
		}
		return []string{session.Spec.ClassName}
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.DebugSession{}, madePod, func(object client.Object) []string {
		if pod := plan.MadePod(object.(*v1alpha1.DebugSession)); pod != "" {
			return []string{pod}
		}
		return nil
	})
}

// ApprovalsOf lists the approvals that name the session.
func ApprovalsOf(ctx context.Context, cached client.Reader, session client.ObjectKey, options ...client.ListOption) ([]v1alpha1.DebugApproval, error) {
	list := &v1alpha1.DebugApprovalList{}
	options = append(options, client.InNamespace(session.Namespace), client.MatchingFields{sessionName: session.Name})
	err := cached.List(ctx, list, options...)
	return list.Items, err
}

// SessionsWithPod lists the sessions that have the pod for their own. They must not be changed: the cache's own objects are returned.
func SessionsWithPod(ctx context.Context, cached client.Reader, pod client.ObjectKey) ([]v1alpha1.DebugSession, error) {
	list := &v1alpha1.DebugSessionList{}
	err := cached.List(ctx, list, client.InNamespace(pod.Namespace), client.MatchingFields{madePod: pod.Name}, client.UnsafeDisableDeepCopy)
	return list.Items, err
}

// OpenSessionsOf lists the sessions of a class that have not ended, or await review. They must not be changed: the cache's own objects are
// returned.
func OpenSessionsOf(ctx context.Context, cached client.Reader, class string) ([]v1alpha1.DebugSession, error) {
	list := &v1alpha1.DebugSessionList{}
	err := cached.List(ctx, list, client.MatchingFields{openOfClass: class}, client.UnsafeDisableDeepCopy)
	return list.Items, err
}
