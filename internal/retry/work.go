package retry

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
)

// Work hands over what comes into a queue, up to so many at once and one at a time while the place is failing, until the context ends
// and all that was handed over is done. It shuts the queue down, and says itself what is Done.
func Work[T comparable](ctx context.Context, queue workqueue.TypedInterface[T], health *Health, slots int, handle func(context.Context, T)) {
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(func() {
		<-ctx.Done()
		queue.ShutDown()
	})
	done := func(item T) {
		defer queue.Done(item)
		handle(ctx, item)
	}
	free := make(chan struct{}, slots)
	for {
		item, ended := queue.Get()
		if ended {
			return
		}
		if health.Pause(ctx) != nil {
			queue.Done(item)
			continue // until the queue is empty: it is shut down
		}
		if health.Failing() {
			done(item)
			continue
		}
		free <- struct{}{}
		working.Go(func() {
			defer func() { <-free }()
			done(item)
		})
	}
}
