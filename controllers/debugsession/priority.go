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

// priorityLast comes after what was there when the operator started, which comes after everything that happens since.
const priorityLast = handler.LowPriority - 1

// endedPredicate is that all there is to do about a session is to tidy up: it has ended, and nobody waits for it to go.
var endedPredicate = predicate.NewPredicateFuncs(func(object client.Object) bool {
	session := object.(*v1alpha1.DebugSession)
	return session.Status.Phase == v1alpha1.PhaseEnded && session.DeletionTimestamp == nil
})

// lowPriority has a session looked at when nothing else is to be done: tidying up takes as much of the API server as an end does, and
// what still runs is not to wait for it.
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
