package podwatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
)

const (
	// syncTimeout is how long the API server may take until it begins to say what there is, and then to go on, until it has said all.
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

// audience is who a stream tells what it sees. Its methods are called one after another.
type audience interface {
	// begin is called as a stream begins, which tells the whole anew. An error is why there is to be none, and is what follow returns.
	begin() error
	// see is of a pod as it is now, which the audience may change.
	see(*corev1.Pod) error
	// lose is of a pod that there is no longer.
	lose(name string)
	// none reports whether the stream has shown no pod that there is.
	none() bool
	// know says that what the stream has shown up to now is how things are.
	know()
	// fail says why nothing is known. An error is why there is to be no other try, and is what follow returns.
	fail(error) error
}

// errApart is why a group's stream is given up.
var errApart = errors.New("a stream for each pod is cheaper")

// follow keeps a stream of the client's pods open until ctx is done, or the audience wants none. Only the first stream may begin with what the API
// server has at hand, if since says so: what was seen is not to be followed by what was before it.
func follow(ctx context.Context, pods *podClient, since string, to audience) error {
	retry := newBackoff()
	for ctx.Err() == nil {
		began := time.Now()
		err := stream(ctx, pods, since, to)
		pause := retry.Step
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errApart):
			return err
		case errors.Is(err, errNotAtHand):
			since = latest
			continue
		case err != nil:
			if err := to.fail(err); err != nil {
				return err
			}
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
	return ctx.Err()
}

func pauseUnreachable() time.Duration { return retryUnreachable + rand.N(retryUnreachable) }

func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: retryFirst, Factor: 2, Jitter: 1, Steps: 100, Cap: retryLongest}
}

// stream tells of the client's pods for as long as one watch lasts. It returns an error if the watch ended before it had told whether
// there are any, or if there is to be none. That one ends later is normal, whatever ended it: the next one tells how things are. That there are none is
// not believed of what the API server has at hand, nor that the last has gone: another may have taken its place.
func stream(ctx context.Context, pods *podClient, since string, to audience) error {
	begun, err := pods.turns.take(ctx)
	if err != nil {
		return err
	}
	defer begun()
	if err := to.begin(); err != nil {
		return err
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	overdue := time.AfterFunc(syncTimeout, func() { giveUp(errNoAnswer) })
	defer overdue.Stop()

	lifetime := minLifetime + rand.N(minLifetime)
	deadAt := time.Now().Add(lifetime + lifetimeGrace)
	var (
		events *eventReader
		synced bool
	)
	elsewhere(func() { events, synced, err = open(ctx, pods, since, lifetime, to) })
	if err != nil {
		return because(ctx, err)
	}
	defer events.stop()
	err = listen(events, since, synced, to, func(synced bool) {
		if !synced {
			overdue.Reset(syncTimeout)
			return
		}
		begun()
		overdue.Reset(time.Until(deadAt))
	})
	if err != nil {
		return because(ctx, err)
	}
	return nil
}

// listen shows the audience what the events tell. It calls lives with each, and whether all was told.
func listen(events *eventReader, since string, synced bool, to audience, lives func(synced bool)) (err error) {
	for {
		lives(synced)
		if synced {
			elsewhere(to.know)
		}
		event := events.next() // an empty one when the stream was closed
		pod, isPod := event.Object.(*corev1.Pod)
		switch {
		case !isPod && synced:
			return nil
		case !isPod:
			return reasonOf(event)
		case event.Type != watch.Bookmark:
			elsewhere(func() { err = show(to, event.Type, pod, since) })
			if err != nil {
				return err
			}
		case synced || pod.Annotations[metav1.InitialEventsAnnotationKey] != "true": // it says nothing but how far the stream has come
		case since == atHand && to.none():
			return errNotAtHand
		default:
			synced = true
		}
	}
}

// show shows an event's pod.
func show(to audience, event watch.EventType, pod *corev1.Pod, since string) error {
	if event != watch.Deleted {
		return to.see(pod)
	}
	to.lose(pod.Name)
	if since == atHand && to.none() {
		return errNotAtHand
	}
	return nil
}

// turns are how many streams begin at once. A start has one for each session that runs, and the API server turns away who asks for too much. Groups
// wait for none: they are few, and spare those that do.
type turns chan struct{}

// atOnce is less than what the API server's priority and fairness has wait for one client, as it is configured by default.
const atOnce = 100

// take waits for a turn. What it returns gives the turn back, once, when the stream has told what there is, or that it cannot.
func (t turns) take(ctx context.Context) (giveBack func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	select {
	case t <- struct{}{}:
		return sync.OnceFunc(func() { <-t }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
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

// open begins a watch. If synced, the audience has seen the pods that there were when it began; if not, the stream will tell and then say that it has.
func open(ctx context.Context, pods *podClient, since string, lifetime time.Duration, to audience) (events *eventReader, synced bool, err error) {
	seconds := int64(lifetime.Seconds())
	options := pods.selected()
	options.ResourceVersion, options.TimeoutSeconds = since, &seconds
	options.SendInitialEvents, options.ResourceVersionMatch = ptr.To(true), metav1.ResourceVersionMatchNotOlderThan
	options.AllowWatchBookmarks = true
	events, err = pods.watch(ctx, &options)
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		return events, false, err
	}

	// This API server knows no streaming lists, or has them switched off, as Kubernetes 1.33 has.
	if pods.streamsOnly {
		return nil, false, errApart
	}
	options = pods.selected()
	options.ResourceVersion = since
	list, err := pods.List(ctx, options)
	if err != nil {
		return nil, false, err
	}
	for i := range list.Items {
		if err := to.see(&list.Items[i]); err != nil {
			return nil, false, err
		}
	}
	if since == atHand && to.none() {
		return nil, false, errNotAtHand
	}
	options.ResourceVersion, options.TimeoutSeconds = list.ResourceVersion, &seconds
	events, err = pods.watch(ctx, &options)
	return events, true, err
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
