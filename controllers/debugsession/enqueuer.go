package debugsession

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Enqueuer puts sessions in the controller's queue. It never blocks, as a caller may hold a lock.
type Enqueuer struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// Enqueue has the session reconciled. Before the controller has started it does nothing: every session is reconciled at the start.
func (e *Enqueuer) Enqueue(session types.NamespacedName) {
	e.EnqueueAfter(session, 0)
}

// EnqueueAfter has the session reconciled when that time has passed, if nothing enqueues it before.
func (e *Enqueuer) EnqueueAfter(session types.NamespacedName, wait time.Duration) {
	e.mu.Lock()
	queue := e.queue
	e.mu.Unlock()
	if queue != nil {
		queue.AddAfter(ctrl.Request{NamespacedName: session}, wait) // at once, if it is not positive
	}
}

// source is how the controller gives the enqueuer its queue.
func (e *Enqueuer) source() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.queue = queue
		return nil
	})
}
