// Package debugapproval tells each approval whether it counts.
package debugapproval

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/index"
	"debugsession.dev/operator/internal/kube/optimisticlock"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/tracing"
	"debugsession.dev/operator/internal/trust"
)

// Reconciler tells each approval whether it counts, and why. The count itself is the session's: nothing
// depends on what is written here.
type Reconciler struct {
	Client client.Client
	// Sessions reads sessions from the cache as they are there. Of one that has ended, its condensed copy says which approvals count.
	Sessions  client.Reader
	Seal      trust.Seal
	Admission trust.Admission
	Clock     clock.PassiveClock
}

// An approval outlives its session; the operator deletes those that were left over for long.
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugapprovals,verbs=delete
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugapprovals/status,verbs=patch

// Reconcile judges one approval.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	debugApproval := &v1alpha1.DebugApproval{}
	if err := r.Client.Get(ctx, req.NamespacedName, debugApproval); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	session := &v1alpha1.DebugSession{}
	key := types.NamespacedName{Namespace: debugApproval.Namespace, Name: debugApproval.Spec.SessionName}
	if err := r.Sessions.Get(ctx, key, session); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	} else if err != nil {
		session = nil
	}
	base := debugApproval.DeepCopy()
	verdict := approval.Evaluate(trust.Approval(ctx, r.Seal, r.Admission, debugApproval, session), session)
	condition := metav1.Condition{
		Type: v1alpha1.ConditionCounted, Status: metav1.ConditionFalse, ObservedGeneration: debugApproval.Generation,
		Reason: verdict.Reason, Message: verdict.Message,
	}
	if verdict.Counts {
		condition.Status = metav1.ConditionTrue
	}
	if !meta.SetStatusCondition(&debugApproval.Status.Conditions, condition) {
		return r.deleteLeftOver(ctx, debugApproval, session)
	}
	err := r.Client.Status().Patch(ctx, debugApproval, optimisticlock.Patch(base))
	return ctrl.Result{}, optimisticlock.IgnoreConflictOrNotFound(err)
}

// deleteLeftOver deletes an approval whose session has been gone for long.
func (r *Reconciler) deleteLeftOver(ctx context.Context, approval *v1alpha1.DebugApproval, session *v1alpha1.DebugSession) (ctrl.Result, error) {
	until, leftOver := plan.LeftOverUntil(approval, session)
	if !leftOver {
		return ctrl.Result{}, nil
	}
	if wait := until.Sub(r.Clock.Now()); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	err := r.Client.Delete(ctx, approval, client.Preconditions{UID: &approval.UID, ResourceVersion: &approval.ResourceVersion})
	return ctrl.Result{}, optimisticlock.IgnoreConflictOrNotFound(err)
}

// SetupWithManager registers the reconciler. An approval is judged again when its session changes.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, trace *tracing.Provider) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("debugapproval").
		For(&v1alpha1.DebugApproval{}).
		Watches(&v1alpha1.DebugSession{}, handler.EnqueueRequestsFromMapFunc(r.approvalsOf)).
		Complete(trace.Reconciler("DebugApproval", r))
}

func (r *Reconciler) approvalsOf(ctx context.Context, session client.Object) []ctrl.Request {
	approvals, err := index.ApprovalsOf(ctx, r.Client, client.ObjectKeyFromObject(session), client.UnsafeDisableDeepCopy)
	if err != nil { // what cannot be listed yet is judged when it can
		ctrl.LoggerFrom(ctx).V(1).Info("cannot list approvals", "session", client.ObjectKeyFromObject(session), "error", err.Error())
		return nil
	}
	requests := make([]ctrl.Request, len(approvals))
	for i := range approvals {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&approvals[i])
	}
	return requests
}
