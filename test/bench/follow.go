package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	restclient "k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// follower knows how the objects of a namespace are, and since when: the moment at which the watch brought the news.
type follower[T comparable] struct {
	mu    sync.Mutex
	facts map[T]time.Time
	news  chan struct{} // closed and replaced when there is more
	stop  context.CancelFunc
}

// follow watches the objects of a list in a namespace. tell returns what has become true of an object.
func follow[T comparable](ctx context.Context, c *cluster, config *restclient.Config, list client.ObjectList, namespace string, tell func(client.Object) []T) (*follower[T], error) {
	watching, err := client.NewWithWatch(config, client.Options{Scheme: c.client.Scheme(), Mapper: c.client.RESTMapper()})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	f := &follower[T]{facts: map[T]time.Time{}, news: make(chan struct{}), stop: stop}
	from := &client.ListOptions{Namespace: namespace, Raw: &metav1.ListOptions{}}
	events, err := watching.Watch(ctx, list, from)
	if err != nil {
		stop()
		return nil, err
	}
	go func() {
		for ctx.Err() == nil {
			if err == nil {
				from.Raw.ResourceVersion = f.read(events, from.Raw.ResourceVersion, tell)
			}
			// An API server that has much to do closes watches. Where one has ended the next begins.
			events, err = watching.Watch(ctx, list, from)
		}
	}()
	return f, nil
}

// read learns from a watch until it ends, and returns from where to go on: from the present, if that is not known.
func (f *follower[T]) read(events watch.Interface, version string, tell func(client.Object) []T) string {
	defer events.Stop()
	for event := range events.ResultChan() {
		object, ok := event.Object.(client.Object)
		if !ok {
			return ""
		}
		version = object.GetResourceVersion()
		if event.Type != watch.Deleted {
			f.learn(time.Now(), tell(object))
		}
	}
	return version
}

func (f *follower[T]) learn(at time.Time, facts []T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	learned := false
	for _, fact := range facts {
		if _, known := f.facts[fact]; !known {
			f.facts[fact], learned = at, true
		}
	}
	if learned {
		close(f.news)
		f.news = make(chan struct{})
	}
}

// await returns when the fact became known, which may be before it is called.
func (f *follower[T]) await(ctx context.Context, fact T) (time.Time, error) {
	return f.awaitWithin(ctx, time.Minute, fact)
}

func (f *follower[T]) awaitWithin(ctx context.Context, within time.Duration, fact T) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		f.mu.Lock()
		at, known := f.facts[fact]
		news := f.news
		f.mu.Unlock()
		if known {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return at, fmt.Errorf("waiting for %v: %w", fact, ctx.Err())
		case <-news:
		}
	}
}

// stands is that a session is in a phase.
type stands struct {
	session string
	phase   v1alpha1.Phase
}

func followSessions(ctx context.Context, c *cluster, namespace string) (*follower[stands], error) {
	return follow(ctx, c, c.admin, &v1alpha1.DebugSessionList{}, namespace, func(o client.Object) []stands {
		session := o.(*v1alpha1.DebugSession)
		facts := []stands{{o.GetName(), session.Status.Phase}}
		if session.Status.Phase == v1alpha1.PhaseEnded && len(session.Finalizers) == 0 {
			facts = append(facts, stands{o.GetName(), letGo})
		}
		return facts
	})
}

// injected is that a pod has so many ephemeral containers.
type injected struct {
	pod string
	n   int
}

func followPods(ctx context.Context, c *cluster, namespace string) (*follower[injected], error) {
	return follow(ctx, c, c.admin, &corev1.PodList{}, namespace, func(o client.Object) []injected {
		return []injected{{o.GetName(), len(o.(*corev1.Pod).Spec.EphemeralContainers)}}
	})
}
