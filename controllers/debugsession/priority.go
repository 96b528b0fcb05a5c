package debugsession

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"debugsession.dev/operator/api/v1alpha1"
)

// Sessions that were listed at the start have handler.LowPriority, which is below that of every later event.
const (
	priorityOverdue = 1
	priorityLast    = handler.LowPriority - 1
)

// endedPredicate selects sessions for which only cleanup is left: they have ended, and nobody waits for their deletion.
var endedPredicate = predicate.NewPredicateFuncs(func(object client.Object) bool {
	session := object.(*v1alpha1.DebugSession)
	return session.Status.Phase == v1alpha1.PhaseEnded && session.DeletionTimestamp == nil
})

// lowPriority enqueues a session behind all others: cleanup takes as many requests as an end, and sessions that still run must not wait
// for it.
func lowPriority() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			enqueueAt(priorityLast, e.Object, queue)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			enqueueAt(priorityLast, e.ObjectNew, queue)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			enqueueAt(priorityLast, e.Object, queue)
		},
	}
}

// overdueFirst enqueues sessions that are to end by now before all others that were listed at the start: those that run can wait until what should
// not run any more has ended.
func overdueFirst(clock clock.PassiveClock) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			if e.IsInInitialList && overdue(e.Object.(*v1alpha1.DebugSession), clock.Now()) {
				enqueueAt(priorityOverdue, e.Object, queue)
			}
		},
	}
}

// overdue reports whether a session is to end by now, and has not.
func overdue(session *v1alpha1.DebugSession, now time.Time) bool {
	status := &session.Status
	switch {
	case status.Phase == v1alpha1.PhaseEnded:
		return false
	case status.Phase == v1alpha1.PhaseEnding, session.Spec.End, session.DeletionTimestamp != nil:
		return true
	default:
		return status.ExpiresAt != nil && !now.Before(status.ExpiresAt.Time)
	}
}

// enqueueAt enqueues a session. One that is in the queue already keeps the higher priority of the two.
func enqueueAt(priority int, session client.Object, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(session)}
	ordered, ok := queue.(priorityqueue.PriorityQueue[ctrl.Request])
	if !ok {
		queue.Add(request)
		return
	}
	ordered.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
}
