package podwatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
)

const (
	// syncTimeout is how long the API server may take until it has said what there is.
	syncTimeout = 30 * time.Second

	// minLifetime is how long a stream is asked to last at least. It is asked for a random time of up to twice as long, so
	// that the streams of a thousand sessions that began together do not end together.
	minLifetime = 5 * time.Minute

	// lifetimeGrace is how long after its lifetime a stream is taken for dead: its connection is, and nobody said so.
	lifetimeGrace = 30 * time.Second

	// steadyAfter is how long a stream must have lasted for the next to be begun without waiting.
	steadyAfter = 10 * time.Second

	// The waits between streams that fail: doubling from about retryFirst, each up to twice as long by chance, the longest
	// therefore below twice retryLongest.
	retryFirst   = 500 * time.Millisecond
	retryLongest = 15 * time.Second

	// retryUnreachable is the longest wait while the API server cannot be reached, again up to twice as long by chance: what was not
	// seen meanwhile may be an end, and trying costs nobody anything.
	retryUnreachable = time.Second
)

// The resource versions that a stream may begin at. What an API server has at hand it gives at once. Asked for the latest, it makes sure of
// that first, which takes it up to a tenth of a second in a cluster in which anything was written lately.
const (
	atHand = "0"
	latest = ""
)

var (
	errNoAnswer    = fmt.Errorf("the API server did not report within %v whether the pod exists", syncTimeout)
	errUnreachable = errors.New("cannot reach the API server")
	errCutShort    = errors.New("the watch was closed before the API server reported whether the pod exists")
	errNotAtHand   = errors.New("the API server has no such pod at hand")
)

// follow keeps a stream of one pod open until ctx is done, and reports what it sees. Only the first stream may begin with what the API
// server has at hand: what was seen is not to be followed by what was before it.
func follow(ctx context.Context, pods *podClient, name string, report func(view)) {
	retry := newBackoff()
	since := atHand
	for ctx.Err() == nil {
		began := time.Now()
		err := stream(ctx, pods, name, since, report)
		pause := retry.Step
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNotAtHand):
			since = latest
			continue
		case err != nil:
			report(view{err: err})
			if errors.Is(err, errUnreachable) {
				pause = pauseUnreachable
			}
		case time.Since(began) >= steadyAfter:
			since, retry = latest, newBackoff()
			continue
		default:
			since = latest
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause()):
		}
	}
}

func pauseUnreachable() time.Duration { return retryUnreachable + rand.N(retryUnreachable) }

func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: retryFirst, Factor: 2, Jitter: 1, Steps: 100, Cap: retryLongest}
}

// stream reports one pod for as long as one watch lasts. It returns an error if the watch ended before it had told whether
// there is such a pod. That one ends later is normal, whatever ended it: the next one tells how things are. That there is no such pod is
// not believed of what the API server has at hand.
func stream(ctx context.Context, pods *podClient, name, since string, report func(view)) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	overdue := time.AfterFunc(syncTimeout, func() { giveUp(errNoAnswer) })
	defer overdue.Stop()

	lifetime := minLifetime + rand.N(minLifetime)
	deadAt := time.Now().Add(lifetime + lifetimeGrace)
	var (
		events *eventReader
		pod    *packedPod
		synced bool
		err    error
	)
	elsewhere(func() { events, pod, synced, err = open(ctx, pods, name, since, lifetime) })
	if err != nil {
		return because(ctx, err)
	}
	defer events.stop()

	for {
		if synced {
			overdue.Reset(time.Until(deadAt))
			elsewhere(func() { report(view{known: true, pod: pod}) })
		}
		event := events.next() // an empty one when the stream was closed
		object, isPod := event.Object.(*corev1.Pod)
		switch {
		case !isPod && synced:
			return nil
		case !isPod:
			return because(ctx, reasonOf(event))
		case isNoNews(event.Type, object, synced):
		case event.Type == watch.Bookmark && pod == nil && since == atHand:
			return errNotAtHand
		case event.Type == watch.Bookmark:
			synced = true
		case event.Type == watch.Deleted:
			pod = nil
		default:
			elsewhere(func() { pod, err = pack(object) })
			if err != nil {
				return err
			}
		}
	}
}

// isNoNews reports whether an event is a bookmark that says nothing but how far the stream has come.
func isNoNews(event watch.EventType, object *corev1.Pod, synced bool) bool {
	return event == watch.Bookmark && (synced || object.Annotations[metav1.InitialEventsAnnotationKey] != "true")
}

// elsewhere does something in a goroutine of its own. What needs a large stack takes it along when it has ended: a goroutine that has grown
// one and then waits for minutes would keep most of it.
func elsewhere(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	<-done
}

// open begins a watch. If synced, pod is what there was when it began; if not, the stream will tell and then say that it has.
func open(ctx context.Context, pods *podClient, name, since string, lifetime time.Duration) (
	events *eventReader, pod *packedPod, synced bool, err error,
) {
	seconds := int64(lifetime.Seconds())
	options := metav1.ListOptions{
		FieldSelector:        fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(),
		ResourceVersion:      since,
		SendInitialEvents:    ptr.To(true),
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		AllowWatchBookmarks:  true,
		TimeoutSeconds:       &seconds,
	}
	events, err = pods.watch(ctx, &options)
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		return events, nil, false, err
	}

	// This API server knows no streaming lists, or has them switched off, as Kubernetes 1.33 has.
	list, err := pods.List(ctx, metav1.ListOptions{FieldSelector: options.FieldSelector, ResourceVersion: since})
	if err != nil {
		return nil, nil, false, err
	}
	switch {
	case len(list.Items) > 0:
		if pod, err = pack(&list.Items[0]); err != nil {
			return nil, nil, false, err
		}
	case since == atHand:
		return nil, nil, false, errNotAtHand
	}
	events, err = pods.watch(ctx, &metav1.ListOptions{
		FieldSelector:   options.FieldSelector,
		ResourceVersion: list.ResourceVersion,
		TimeoutSeconds:  &seconds,
	})
	return events, pod, true, err
}

// because returns why a watch could not begin, in words that are the same at each try, or else every try would be news: the
// reason for which it was given up rather than what that led to, and of an error of the network neither the request, in
// which the time asked for is random, nor the port on this side.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	err = request.Err
	var network *net.OpError
	if errors.As(err, &network) {
		anyPort := *network
		anyPort.Source = nil
		err = &anyPort
	}
	return fmt.Errorf("%w: %w", errUnreachable, err)
}

// reasonOf returns why a stream ended, as its last event has it.
func reasonOf(last watch.Event) error {
	if last.Object == nil {
		return errCutShort
	}
	return apierrors.FromObject(last.Object)
}
