package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Waker puts sessions in the controller's queue. It never blocks: who calls it may hold a lock.
type Waker struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// Wake has the session looked at. Before the controller has started it does nothing: every session is looked at then.
func (w *Waker) Wake(session types.NamespacedName) {
	w.WakeAfter(session, 0)
}

// WakeAfter has the session looked at when that time has passed, if nothing has it looked at before.
func (w *Waker) WakeAfter(session types.NamespacedName, wait time.Duration) {
	w.mu.Lock()
	queue := w.queue
	w.mu.Unlock()
	if queue != nil {
		queue.AddAfter(ctrl.Request{NamespacedName: session}, wait) // at once, if it is not positive
	}
}

// source is how the controller gives the waker its queue.
func (w *Waker) source() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.queue = queue
		return nil
	})
}
