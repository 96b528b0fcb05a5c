package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/retry"
)

const (
	// slots is how many messages are on their way to a sink at once.
	slots = 4

	// maxGone is how many deleted sessions a sink's worker keeps until it has told of their end.
	maxGone = 256

	// secretAge is how old what was read of the Secret may be.
	secretAge = time.Minute
)

// item is what a worker has to do: tell of a session; or, of none, of what is of no session.
type item struct {
	session types.NamespacedName
	uid     types.UID
}

func itemOf(session *v1alpha1.DebugSession) item {
	return item{client.ObjectKeyFromObject(session), session.UID}
}

// worker tells one sink.
type worker struct {
	notifier *Notifier
	name     string
	uid      types.UID
	since    time.Time // of the sink
	health   *retry.Health
	queue    workqueue.TypedRateLimitingInterface[item]
	stop     context.CancelFunc
	stopped  sync.WaitGroup

	mu          sync.Mutex
	spec        v1alpha1.DebugSinkSpec
	namespaces  labels.Selector
	generation  int64
	caughtUp    int64   // the generation whose sessions were looked at
	sender      *sender // nil: it cannot be used
	unusable    error
	readAt      time.Time
	gone        map[item]*v1alpha1.DebugSession
	delivered   map[types.UID]delivery // what was told and is not seen in the session's status yet
	occurrences occurrences
}

// delivery is what a sink was told of a session, and whether that was written down.
type delivery struct {
	sent    []string
	written bool
}

func newWorker(n *Notifier, sink *v1alpha1.DebugSink) *worker {
	name := sink.Name // the sink itself is written to when its status is
	w := selecting(n, sink)
	w.queue = workqueue.NewTypedRateLimitingQueueWithConfig(workqueue.NewTypedItemExponentialFailureRateLimiter[item](retry.FirstPause, retry.LastPause),
		workqueue.TypedRateLimitingQueueConfig[item]{})
	w.gone, w.delivered = map[item]*v1alpha1.DebugSession{}, map[types.UID]delivery{}
	w.health = retry.NewHealth(func(now retry.Verdict) {
		n.Metrics.dead(name, now.Dead)
		n.wake(name)
	})
	return w
}

// selecting is what knows what a sink has yet to be told, and tells nothing.
func selecting(n *Notifier, sink *v1alpha1.DebugSink) *worker {
	w := &worker{notifier: n, name: sink.Name, uid: sink.UID, since: sink.CreationTimestamp.Time, spec: *sink.Spec.DeepCopy()}
	selector, err := metav1.LabelSelectorAsSelector(sink.Spec.NamespaceSelector)
	if err != nil {
		selector = labels.Nothing()
	}
	w.namespaces = selector
	return w
}

// pending reports whether the sink has yet to be told of the session, or whether that is not known.
func (w *worker) pending(session *v1alpha1.DebugSession) bool {
	now := w.notifier.Clock.Now()
	moves, _ := movesOf(session, false, now)
	for _, m := range missed(moves, sentTo(session, w.name), w.since, now) {
		takes, err := w.takes(context.Background(), m.notificationType, session.Namespace, session.Spec.ClassName)
		if takes || err != nil {
			return true
		}
	}
	return false
}

// run works until it is stopped.
func (w *worker) run(ctx context.Context) {
	ctx, w.stop = context.WithCancel(log.IntoContext(ctx, log.FromContext(ctx).WithValues("sink", w.name)))
	w.stopped.Go(func() { retry.Work(ctx, w.queue, w.health, slots, w.handle) })
}

// end stops it, and returns when it has.
func (w *worker) end() {
	w.stop()
	w.stopped.Wait()
}

func (w *worker) handle(ctx context.Context, it item) {
	if err := w.tell(ctx, it); err != nil {
		if ctx.Err() == nil {
			log.FromContext(ctx).V(1).Info("message not delivered, retrying", "session", it.session, "error", err.Error())
			w.queue.AddRateLimited(it)
		}
		return
	}
	w.queue.Forget(it)
}

func (w *worker) tell(ctx context.Context, it item) error {
	if it == (item{}) {
		return w.tellOccurrences(ctx)
	}
	session, gone, err := w.session(ctx, it)
	if err != nil {
		return err
	}
	if session == nil {
		w.forget(it)
		return nil
	}
	now := w.notifier.Clock.Now()
	moves, next := movesOf(session, gone, now)
	if err := w.tellMoves(ctx, session, gone, moves, now); err != nil {
		return err
	}
	if gone {
		w.forget(it)
	}
	if !next.IsZero() && slices.Contains(w.types(), v1alpha1.NotifyAboutToEnd) {
		w.queue.AddAfter(it, next.Sub(now))
	}
	return nil
}

// tellMoves tells what of a session's moves the sink takes and has not been told, and writes down that it was.
func (w *worker) tellMoves(ctx context.Context, session *v1alpha1.DebugSession, gone bool, moves []move, now time.Time) error {
	sent, unwritten := w.sent(session)
	for _, m := range missed(moves, sent, w.since, now) {
		if takes, err := w.takes(ctx, m.notificationType, session.Namespace, session.Spec.ClassName); err != nil {
			return err
		} else if !takes {
			continue
		}
		if err := w.deliver(ctx, messageOf(session, m)); err != nil {
			return errors.Join(err, w.record(ctx, session, gone, sent, unwritten))
		}
		sent, unwritten = recorded(sent, m), true
		w.remember(session.UID, delivery{sent: sent})
	}
	return w.record(ctx, session, gone, sent, unwritten)
}

// session is the session as the cache has it, or as it was when it was deleted; nil if there is nothing to tell of it any more.
func (w *worker) session(ctx context.Context, it item) (session *v1alpha1.DebugSession, gone bool, err error) {
	session = &v1alpha1.DebugSession{}
	err = w.notifier.Client.Get(ctx, it.session, session)
	switch {
	case err == nil && session.UID == it.uid:
		return session, false, nil
	case client.IgnoreNotFound(err) != nil:
		return nil, false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last, found := w.gone[it]
	return last, found, nil
}

// sent is what the sink was told of a session, and whether that is still to be written down.
func (w *worker) sent(session *v1alpha1.DebugSession) (sent []string, unwritten bool) {
	seen := sentTo(session, w.name)
	w.mu.Lock()
	defer w.mu.Unlock()
	mine, ok := w.delivered[session.UID]
	if !ok || slices.Equal(mine.sent, seen) {
		delete(w.delivered, session.UID)
		return seen, false
	}
	return mine.sent, !mine.written
}

func (w *worker) remember(uid types.UID, told delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delivered[uid] = told
}

func (w *worker) forget(it item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.gone, it)
	delete(w.delivered, it.uid)
}

// record writes into a session's status what the sink was told.
func (w *worker) record(ctx context.Context, session *v1alpha1.DebugSession, gone bool, sent []string, unwritten bool) error {
	if !unwritten || gone {
		return nil
	}
	err := w.notifier.record(ctx, session, w.name, sent)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err): // it was deleted, or is another of its name
	case apierrors.IsInvalid(err):
		log.FromContext(ctx).Error(err, "cannot record in the session's status which messages were sent: another replica sends them again", "session", client.ObjectKeyFromObject(session))
	case err != nil:
		return err
	}
	w.remember(session.UID, delivery{sent: sent, written: true})
	if w.notifier.rests(ctx, session) {
		w.forget(itemOf(session)) // the event that tells of it may have come before
	}
	return nil
}

// takes reports whether the sink is told of something in a namespace, of a class.
func (w *worker) takes(ctx context.Context, of v1alpha1.NotificationType, namespace, class string) (bool, error) {
	w.mu.Lock()
	spec, selector := w.spec, w.namespaces
	w.mu.Unlock()
	switch {
	case !slices.Contains(typesOf(&spec), of):
		return false, nil
	case of == v1alpha1.NotifyTampered, slices.Contains(everySink, of):
		return true, nil
	case len(spec.Classes) > 0 && !slices.Contains(spec.Classes, class):
		return false, nil
	case spec.NamespaceSelector == nil:
		return true, nil
	}
	found := namespaceMetadata()
	err := client.IgnoreNotFound(w.notifier.Client.Get(ctx, client.ObjectKey{Name: namespace}, found))
	if err != nil {
		return false, fmt.Errorf("cannot read the labels of namespace %q: %w", namespace, err)
	}
	return selector.Matches(labels.Set(found.Labels)), nil
}

func (w *worker) types() []v1alpha1.NotificationType {
	w.mu.Lock()
	defer w.mu.Unlock()
	return typesOf(&w.spec)
}

// deliver sends a message once.
func (w *worker) deliver(ctx context.Context, m *Message) error {
	to, err := w.usable(ctx)
	if err == nil {
		err = to.send(ctx, m, w.notifier.Clock.Now())
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // the operator ends: that is not the sink's fault
	}
	w.health.Count(err)
	w.notifier.Metrics.sent(w.name, err == nil)
	if err != nil {
		return fmt.Errorf("sending to sink %s message %s: %w", w.name, m.ID, err)
	}
	return nil
}

// usable is what sends, with the Secret as it was a moment ago.
func (w *worker) usable(ctx context.Context) (*sender, error) {
	w.mu.Lock()
	spec, to, err, age := w.spec, w.sender, w.unusable, w.notifier.Clock.Since(w.readAt)
	w.mu.Unlock()
	if usesSecret(&spec) && age > secretAge {
		return w.prepare(ctx, &spec)
	}
	return to, err
}

// prepare reads the Secret if the sink needs it, and makes what sends, or says why that cannot be.
func (w *worker) prepare(ctx context.Context, spec *v1alpha1.DebugSinkSpec) (*sender, error) {
	secret, err := w.notifier.secret(ctx, spec)
	var to *sender
	if err == nil {
		to, err = newSender(spec, secret)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sender, w.unusable, w.readAt = to, err, w.notifier.Clock.Now()
	return to, err
}

// update has the worker go by a sink as it is now. It returns what is wrong with it.
func (w *worker) update(ctx context.Context, sink *v1alpha1.DebugSink) error {
	selector, err := metav1.LabelSelectorAsSelector(sink.Spec.NamespaceSelector)
	w.mu.Lock()
	changed := w.generation != sink.Generation
	w.spec, w.namespaces, w.generation = *sink.Spec.DeepCopy(), selector, sink.Generation
	if err != nil {
		w.sender, w.unusable = nil, fmt.Errorf("spec.namespaceSelector: %w", err)
	}
	unusable := w.unusable
	w.mu.Unlock()
	if err != nil {
		return unusable
	}
	if changed || unusable != nil {
		_, unusable = w.prepare(ctx, &sink.Spec)
	}
	if changed {
		w.health.Retry()
	}
	return unusable
}

// consider has the worker look at a session, if there may be something to tell of it.
func (w *worker) consider(session *v1alpha1.DebugSession) {
	now := w.notifier.Clock.Now()
	if plan.Condensed(session) { // what there may be to tell is seen in the session itself
		if now.Sub(session.Status.EndedAt.Time) <= maxAge && !session.Status.EndedAt.Time.Before(w.since) {
			w.queue.Add(itemOf(session))
		}
		return
	}
	moves, next := movesOf(session, false, now)
	w.mu.Lock()
	_, unseen := w.delivered[session.UID]
	w.mu.Unlock()
	if unseen || !next.IsZero() || len(missed(moves, sentTo(session, w.name), w.since, now)) > 0 {
		w.queue.Add(itemOf(session))
	}
}

// changed has the worker look at a session of which the cache has another version. The sinks that there were have been told of one that is
// condensed: see Pending.
func (w *worker) changed(session *v1alpha1.DebugSession) {
	if plan.Condensed(session) {
		w.forget(itemOf(session))
		return
	}
	w.consider(session)
}

// lost has the worker tell of a session that was deleted what it has not yet.
func (w *worker) lost(session *v1alpha1.DebugSession) {
	if plan.Condensed(session) {
		w.forget(itemOf(session))
		return
	}
	now := w.notifier.Clock.Now()
	moves, _ := movesOf(session, true, now)
	it := itemOf(session)
	sent, _ := w.sent(session)
	if len(missed(moves, sent, w.since, now)) == 0 {
		w.forget(it)
		return
	}
	w.mu.Lock()
	full := len(w.gone) >= maxGone
	if !full {
		w.gone[it] = session.DeepCopy()
	}
	w.mu.Unlock()
	if full {
		w.notifier.Metrics.dropped(w.name, dropDeleted)
		return
	}
	w.queue.Add(it)
}
