package debugsession

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
)

const (
	retryFirst = 5 * time.Millisecond

	// retryLongest is short, as an end may be among what is tried again. The default lets the pauses double until a quarter of an hour
	// lies between two tries: for as long would be open what could not be seen or written for ten minutes, and can be again.
	retryLongest = 30 * time.Second
)

func (r *Reconciler) options() controller.Options {
	return controller.Options{MaxConcurrentReconciles: r.Concurrency, RateLimiter: backoff()}
}

// retries has each session wait for its own failures, and for no others.
func backoff() workqueue.TypedRateLimiter[ctrl.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](retryFirst, retryLongest)
}
