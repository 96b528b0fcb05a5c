package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
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

const (
	// priorityLast comes after what was there when the operator started, which comes after everything that happens since.
	priorityLast = handler.LowPriority - 1

	// patience is how long a session that has ended waits for others that end: they may be held for ever.
	patience = time.Minute

	// waitsFor is how often it looks whether they have.
	waitsFor = 5 * time.Second
)

// nothingUrgent is that all there is to do about a session is to tidy up: it has ended, and nobody waits for it to go.
func nothingUrgent(session *v1alpha1.DebugSession) bool {
	return session.Status.Phase == v1alpha1.PhaseEnded && session.DeletionTimestamp == nil
}

var tidying = predicate.NewPredicateFuncs(func(object client.Object) bool {
	return nothingUrgent(object.(*v1alpha1.DebugSession))
})

// lastly has a session looked at when nothing else is to be done.
func lastly() handler.EventHandler {
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

// endings is which sessions are being ended. Where more end than are worked on at once, those that have ended are tidied up after
// them: that takes as much of the API server as an end does, and what still runs is not to wait for it.
type endings struct {
	mu       sync.Mutex
	sessions map[types.NamespacedName]struct{}
}

// note takes down how a session is.
func (e *endings) note(session *v1alpha1.DebugSession) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := client.ObjectKeyFromObject(session)
	if session.Status.Phase != v1alpha1.PhaseEnding {
		delete(e.sessions, key)
		return
	}
	if e.sessions == nil {
		e.sessions = map[types.NamespacedName]struct{}{}
	}
	e.sessions[key] = struct{}{}
}

func (e *endings) forget(key types.NamespacedName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, key)
}

// yields says whether a session is to wait for them: for more than so many.
func (e *endings) yields(session *v1alpha1.DebugSession, now time.Time, many int) bool {
	if !nothingUrgent(session) || session.Status.EndedAt == nil || !now.Before(session.Status.EndedAt.Add(patience)) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.sessions) > many
}
