package optionalcache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// patience is how long a start waits for what it can do without: most often it is there at once, and then nothing is
	// said to be unreadable that is only late.
	patience = 10 * time.Second

	// again is how often it is tried to index a kind that is not installed.
	again = 2 * time.Second
)

// New makes caches of which only those of the given kinds are waited for. It takes the place of cache.New.
func New(required ...client.Object) cache.NewCacheFunc {
	return func(config *rest.Config, options cache.Options) (cache.Cache, error) {
		c := &caches{scheme: options.Scheme, kinds: map[schema.GroupVersionKind]bool{}, settled: make(chan struct{})}
		for _, object := range required {
			gvk, err := apiutil.GVKForObject(object, options.Scheme)
			if err != nil {
				return nil, err
			}
			c.kinds[gvk] = true
		}
		options.NewInformer = c.newInformer
		var err error
		if c.required, err = cache.New(config, options); err != nil {
			return nil, err
		}
		options.DefaultWatchErrorHandler = c.remember
		if c.optional, err = cache.New(config, options); err != nil {
			return nil, err
		}
		return c, nil
	}
}

type caches struct {
	scheme             *runtime.Scheme
	kinds              map[schema.GroupVersionKind]bool // the required
	required, optional cache.Cache

	settled chan struct{} // closed when the optional ones are not waited for any more

	mu      sync.Mutex
	indexes []func(context.Context) error // of kinds that are not installed
	failed  sync.Map                      // by the Go type of an object, why it could not be listed or watched last
}

// Get reads from a cache. It does not wait for an optional one.
func (c *caches) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if c.of(object) == c.required {
		return c.required.Get(ctx, key, object, options...)
	}
	return c.because(object, c.optional.Get(unwaiting(ctx), key, object, options...))
}

// List reads from a cache. It does not wait for an optional one.
func (c *caches) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if c.of(list) == c.required {
		return c.required.List(ctx, list, options...)
	}
	return c.because(list, c.optional.List(unwaiting(ctx), list, options...))
}

// unwaiting has ended: a cache that is filled does not look at it, and one that is not gives up at once.
func unwaiting(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// because tells why a cache is not filled, where it says no more than that.
func (c *caches) because(object any, err error) error {
	if !apierrors.IsTimeout(err) {
		return err
	}
	if why, ok := c.failed.Load(strings.TrimSuffix(fmt.Sprintf("%T", object), "List")); ok {
		// Not wrapped: that the API server has no such path does not mean that the object is not there.
		return fmt.Errorf("the operator cannot watch it: %v", why)
	}
	return errors.New("the operator has only just started to watch it")
}

func (c *caches) remember(ctx context.Context, reflector *toolscache.Reflector, err error) {
	c.failed.Store(reflector.TypeDescription(), err)
	toolscache.DefaultWatchErrorHandler(ctx, reflector, err)
}

// of is the cache that an object or a list belongs in.
func (c *caches) of(object runtime.Object) cache.Cache {
	gvk, err := apiutil.GVKForObject(object, c.scheme)
	if err != nil {
		return c.optional // it says what is wrong
	}
	gvk.Kind = strings.TrimSuffix(gvk.Kind, "List")
	return c.ofKind(gvk)
}

func (c *caches) ofKind(gvk schema.GroupVersionKind) cache.Cache {
	if c.kinds[gvk] {
		return c.required
	}
	return c.optional
}

// GetInformer waits until the informer's cache is filled, of whichever kind, unless the options say otherwise.
func (c *caches) GetInformer(ctx context.Context, object client.Object, options ...cache.InformerGetOption) (cache.Informer, error) {
	return c.of(object).GetInformer(ctx, object, options...)
}

// GetInformerForKind is as GetInformer.
func (c *caches) GetInformerForKind(ctx context.Context, gvk schema.GroupVersionKind, options ...cache.InformerGetOption) (cache.Informer, error) {
	return c.ofKind(gvk).GetInformerForKind(ctx, gvk, options...)
}

// RemoveInformer stops an informer.
func (c *caches) RemoveInformer(ctx context.Context, object client.Object) error {
	return c.of(object).RemoveInformer(ctx, object)
}

// IndexField indexes a kind; it is called before Start. An optional one that is not installed is indexed when it is: lists by
// the index fail until then.
func (c *caches) IndexField(ctx context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	in := c.of(object)
	err := in.IndexField(ctx, object, field, extract)
	if in == c.required || !meta.IsNoMatchError(err) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.indexes = append(c.indexes, func(ctx context.Context) error { return in.IndexField(ctx, object, field, extract) })
	return nil
}

// Start fills the caches, and keeps them filled until the context ends.
func (c *caches) Start(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.required.Start(ctx) })
	group.Go(func() error { return c.optional.Start(ctx) })
	group.Go(func() error { c.settle(ctx); return nil })
	group.Go(func() error { c.index(ctx); return nil })
	return group.Wait()
}

// settle ends the wait for the optional caches.
func (c *caches) settle(ctx context.Context) {
	defer close(c.settled)
	waiting, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if !c.optional.WaitForCacheSync(waiting) && ctx.Err() == nil {
		log.FromContext(ctx).Info("some resources that sessions need to start cannot be watched: sessions still end, but new ones wait; see the earlier errors")
	}
}

// index indexes what could not be before.
func (c *caches) index(ctx context.Context) {
	c.mu.Lock()
	indexes := c.indexes
	c.mu.Unlock()
	for _, add := range indexes {
		_ = wait.PollUntilContextCancel(ctx, again, false, func(ctx context.Context) (bool, error) {
			return add(ctx) == nil, nil // tried again, whatever it was
		})
	}
}

// WaitForCacheSync waits until the required caches are filled, and a moment for the optional ones.
func (c *caches) WaitForCacheSync(ctx context.Context) bool {
	if !c.required.WaitForCacheSync(ctx) {
		return false
	}
	select {
	case <-c.settled:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
