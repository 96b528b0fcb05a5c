// Package debugclass counts the sessions of each class, and tells whether it can be used.
package debugclass

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/index"
	"debugsession.dev/operator/internal/kube/optimisticlock"
	"debugsession.dev/operator/internal/policy"
	"debugsession.dev/operator/internal/tracing"
)

// countDelay gathers the changes of many sessions into one count of a class.
const countDelay = 2 * time.Second

// Reconciler says in a class's status how many sessions use it, and whether it can be used.
type Reconciler struct {
	Client client.Client

	// AuditStore is whether the operator has a store for what its sessions leave.
	AuditStore bool
}

// +kubebuilder:rbac:groups=debugsession.dev,resources=debugclasses/status,verbs=patch

// Reconcile counts the sessions of one class.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	class := &v1alpha1.DebugClass{}
	if err := r.Client.Get(ctx, req.NamespacedName, class); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	sessions, err := index.OpenSessionsOf(ctx, r.Client, class.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	base := class.DeepCopy()
	describe(class, sessions, r.AuditStore)
	if equality.Semantic.DeepEqual(base.Status, class.Status) {
		return ctrl.Result{}, nil
	}
	err = r.Client.Status().Patch(ctx, class, optimisticlock.Patch(base))
	return ctrl.Result{}, optimisticlock.IgnoreConflictOrNotFound(err)
}

func describe(class *v1alpha1.DebugClass, sessions []v1alpha1.DebugSession, auditStore bool) {
	status := &class.Status
	status.ObservedGeneration, status.Sessions, status.ReviewsPending, status.ReviewsOverdue = class.Generation, 0, 0, 0
	var overdue []string
	status.Modes, status.Profiles, status.Images = line(class.Spec.Modes), line(class.Spec.Profiles), cmp.Or(line(class.Spec.Images), "*")
	status.MaxTTL = &v1alpha1.Duration{Duration: class.Spec.MaxTTL.Duration}
	for i := range sessions {
		session := &sessions[i]
		if session.Status.Phase != v1alpha1.PhaseEnded {
			status.Sessions++
		}
		if session.Status.AwaitsReview() {
			status.ReviewsPending++
		}
		if session.Status.ReviewOverdue() {
			overdue = append(overdue, session.Namespace+"/"+session.Name)
		}
	}
	describeReviews(class, overdue)

	ready := readiness(&class.Spec, auditStore)
	ready.ObservedGeneration = class.Generation
	meta.SetStatusCondition(&status.Conditions, ready)
}

// readiness says whether sessions of a class can be admitted.
func readiness(spec *v1alpha1.DebugClassSpec, auditStore bool) metav1.Condition {
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonValid, Message: "sessions of this class can be admitted",
	}
	if why, all := policy.WithoutStore(spec); why != "" && !auditStore {
		ready.Message += "; " + why
		if all {
			ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, v1alpha1.ReasonNoAuditStore, why
		}
	}
	if wrong := policy.Validate(spec); len(wrong) > 0 { // it was written when admission did not look
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, v1alpha1.ReasonInvalid, strings.Join(wrong, "; ")
	}
	return ready
}

// mostOverdue is how many sessions a class names whose review is overdue.
const mostOverdue = 5

// describeReviews says whether sessions have not been reviewed in time that started before their approval.
func describeReviews(class *v1alpha1.DebugClass, overdue []string) {
	status := &class.Status
	status.ReviewsOverdue = int32(len(overdue)) //nolint:gosec // the API server holds fewer objects
	if status.ReviewsPending == 0 && (class.Spec.Approval == nil || class.Spec.Approval.Emergency == nil) {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionReviewOverdue)
		return
	}
	condition := metav1.Condition{
		Type: v1alpha1.ConditionReviewOverdue, Status: metav1.ConditionFalse, ObservedGeneration: class.Generation,
		Reason: v1alpha1.ReasonAwaitingReview, Message: fmt.Sprintf("%d sessions that started before approval await review; none is overdue", status.ReviewsPending),
	}
	if status.ReviewsPending == 0 {
		condition.Reason, condition.Message = v1alpha1.ReasonAcknowledged, "no session awaits review"
	}
	if len(overdue) > 0 {
		slices.Sort(overdue)
		first := strings.Join(overdue[:min(len(overdue), mostOverdue)], ", ")
		if len(overdue) > mostOverdue {
			first += ", …"
		}
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonReviewOverdue
		condition.Message = fmt.Sprintf("%d sessions that started before approval are overdue for review: %s; anyone who may approve the class can approve or deny them: kubectl dbg list -A --waiting",
			len(overdue), first)
	}
	meta.SetStatusCondition(&status.Conditions, condition)
}

// line is a list as kubectl get shows it; of a long one the first items.
func line[T ~string](items []T) string {
	const most = 120
	var text strings.Builder
	for i, item := range items {
		if i > 0 && text.Len()+len(item) > most {
			return text.String() + ", …"
		}
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(string(item))
	}
	return text.String()
}

// SetupWithManager registers the reconciler. A class is counted again when one of its sessions begins or ends, or its review does.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, trace *tracing.Provider) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("debugclass").
		For(&v1alpha1.DebugClass{}).
		Watches(&v1alpha1.DebugSession{}, handler.Funcs{
			CreateFunc: func(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
				recount(queue, e.Object)
			},
			UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
				if ended(e.ObjectOld) != ended(e.ObjectNew) || reviewOf(e.ObjectOld) != reviewOf(e.ObjectNew) {
					recount(queue, e.ObjectNew)
				}
			},
			DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
				recount(queue, e.Object)
			},
		}).
		Complete(trace.Reconciler("DebugClass", r))
}

func recount(queue workqueue.TypedRateLimitingInterface[ctrl.Request], session client.Object) {
	name := session.(*v1alpha1.DebugSession).Spec.ClassName
	queue.AddAfter(ctrl.Request{NamespacedName: types.NamespacedName{Name: name}}, countDelay)
}

func ended(session client.Object) bool {
	return session.(*v1alpha1.DebugSession).Status.Phase == v1alpha1.PhaseEnded
}

// reviewOf is where a session's review stands.
func reviewOf(session client.Object) [2]bool {
	status := &session.(*v1alpha1.DebugSession).Status
	return [2]bool{status.AwaitsReview(), status.ReviewOverdue()}
}
