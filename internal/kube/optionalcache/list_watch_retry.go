package optionalcache

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// askAgain is the pause between two tries to reach an API server that does not answer.
const askAgain = time.Second

// newInformer returns an informer that asks an API server that does not answer again and again, with short pauses. A reflector of
// client-go waits for longer each time, up to a minute, and would see nothing for as long after the API server is back.
func (c *caches) newInformer(lw toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	asked := toolscache.ToListerWatcherWithContext(lw)
	kind := fmt.Sprintf("%T", object)
	return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return ask(ctx, c, kind, func() (runtime.Object, error) { return asked.ListWithContext(ctx, options) })
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return ask(ctx, c, kind, func() (watch.Interface, error) { return asked.WatchWithContext(ctx, options) })
		},
	}, object, resync, indexers)
}

// ask asks until it is answered, be it by a refusal. Why it was not is remembered, and logged once.
func ask[T any](ctx context.Context, c *caches, kind string, question func() (T, error)) (T, error) {
	for tried := 0; ; tried++ {
		answer, err := question()
		if err == nil || !unanswered(err) || ctx.Err() != nil {
			return answer, err
		}
		c.failed.Store(kind, err)
		if tried == 0 {
			log.FromContext(ctx).Info("the API server does not respond, retrying", "kind", kind, "error", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(askAgain):
		}
	}
}

// unanswered reports whether an error says nothing but that the API server, or etcd behind it, is not there or has too much to do.
func unanswered(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code >= 500 || code == 429
	}
	return errors.As(err, new(*url.Error))
}
