package debugsession

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"debugsession.dev/operator/api/v1alpha1"
)

// priorityLast is below the priority of the sessions that were listed at the start, which is below that of every later event.
const priorityLast = handler.LowPriority - 1

// endedPredicate selects sessions for which only cleanup is left: they have ended, and nobody waits for their deletion.
var endedPredicate = predicate.NewPredicateFuncs(func(object client.Object) bool {
	session := object.(*v1alpha1.DebugSession)
	return session.Status.Phase == v1alpha1.PhaseEnded && session.DeletionTimestamp == nil
})

// lowPriority enqueues a session behind all others: cleanup takes as many requests as an end, and sessions that still run must not wait
// for it.
func lowPriority() handler.EventHandler {
	enqueue := func(session client.Object, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
		request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(session)}
		ordered, ok := queue.(priorityqueue.PriorityQueue[ctrl.Request])
		if !ok {
			queue.Add(request)
			return
		}
		ordered.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(priorityLast)}, request)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			enqueue(e.Object, queue)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			enqueue(e.ObjectNew, queue)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			enqueue(e.Object, queue)
		},
	}
}
