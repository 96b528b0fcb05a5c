package notify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/kube/sessioninformer"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/sessionstatus"
	"debugsession.dev/operator/internal/userlimit"
)

// Of one user a few refusals are told, and then one every ten seconds; of all users together more.
var userRate, allRate = userlimit.Rate{Burst: 3, Every: 10 * time.Second}, userlimit.Rate{Burst: 30, Every: 500 * time.Millisecond}

// fieldOwner, with a sink's name, owns what a session's status says that the sink was told.
const fieldOwner = "debugsession-notify-"

// Notifier tells the sinks. Every replica runs one.
type Notifier struct {
	// Client reads from the cache, and writes.
	Client client.Client
	// Cache is where sessions are watched.
	Cache cache.Cache
	// Live reads the Secret.
	Live client.Reader
	// Namespace is the operator's own, which has the Secret.
	Namespace string
	// Events tell of a sink that is dead.
	Events events.EventRecorder
	// Metrics count what is sent.
	Metrics *Metrics
	// Clock says what time it is.
	Clock clock.PassiveClock

	leading atomic.Bool
	limits  *userlimit.Limits

	mu      sync.Mutex
	workers map[string]*worker
	awaited map[string]*worker // of the sinks that there were at the start and are not served yet: they do not run
	ended   bool
	queue   workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// Start ends the workers when the context ends.
func (n *Notifier) Start(ctx context.Context) error {
	<-ctx.Done()
	n.mu.Lock()
	n.ended = true
	workers := n.workers
	n.workers = nil
	n.mu.Unlock()
	for _, w := range workers {
		w.end()
	}
	return nil
}

// NeedLeaderElection has every replica tell of what it has refused.
func (n *Notifier) NeedLeaderElection() bool { return false }

// lead is what only the leader does: it has the workers look at sessions.
type lead struct{ *Notifier }

// NeedLeaderElection keeps the other replicas out.
func (l lead) NeedLeaderElection() bool { return true }

// Start has each session looked at, and then each that changes.
func (l lead) Start(ctx context.Context) error {
	informer, err := l.Cache.GetInformer(ctx, &v1alpha1.DebugSession{})
	if err != nil {
		return fmt.Errorf("watching sessions for notifications: %w", err)
	}
	l.leading.Store(true)
	look := func(session *v1alpha1.DebugSession) {
		for _, w := range l.serving() {
			w.changed(session)
		}
	}
	lost := func(session *v1alpha1.DebugSession) {
		for _, w := range l.serving() {
			w.lost(session)
		}
	}
	registration, err := informer.AddEventHandler(sessioninformer.Handler(look, lost))
	if err != nil {
		return fmt.Errorf("watching sessions for notifications: %w", err)
	}
	for _, w := range l.serving() {
		l.wake(w.name) // its status is the leader's to write
	}
	<-ctx.Done()
	return informer.RemoveEventHandler(registration)
}

// Await notes the sinks that there are, before the manager starts: what they have yet to be told is pending before they are served. live
// reads from the API server.
func (n *Notifier) Await(ctx context.Context, live client.Reader) error {
	sinks := &v1alpha1.DebugSinkList{}
	if err := live.List(ctx, sinks); err != nil {
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			return nil // sessions end without sinks
		}
		return fmt.Errorf("listing the sinks: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.awaited = map[string]*worker{}
	for i := range sinks.Items {
		n.awaited[sinks.Items[i].Name] = selecting(n, &sinks.Items[i])
	}
	return nil
}

// Pending reports whether a sink has yet to be told of a session, or whether that is not known.
func (n *Notifier) Pending(session *v1alpha1.DebugSession) bool {
	n.mu.Lock()
	workers := slices.AppendSeq(slices.Collect(maps.Values(n.awaited)), maps.Values(n.workers))
	n.mu.Unlock()
	return slices.ContainsFunc(workers, func(w *worker) bool { return w.pending(session) })
}

// serving are the workers of the sinks that are served.
func (n *Notifier) serving() []*worker {
	n.mu.Lock()
	defer n.mu.Unlock()
	workers := make([]*worker, 0, len(n.workers))
	for _, w := range n.workers {
		workers = append(workers, w)
	}
	return workers
}

// catchUp has the worker of a sink that is new, or has changed, look at the sessions that there are.
func (n *Notifier) catchUp(ctx context.Context, w *worker) error {
	w.mu.Lock()
	generation, done := w.generation, w.caughtUp == w.generation
	w.mu.Unlock()
	if done || !n.leading.Load() { // who comes to lead looks at all of them
		return nil
	}
	sessions := &v1alpha1.DebugSessionList{}
	if err := n.Client.List(ctx, sessions, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range sessions.Items {
		w.consider(&sessions.Items[i])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.caughtUp = generation
	return nil
}

// Refused has the sinks told of what admission has let not in.
func (n *Notifier) Refused(r Refusal) {
	if len(n.serving()) == 0 {
		return
	}
	user, now := userlimit.ShareOf(r.User), n.Clock.Now()
	ok, suppressed := n.limits.Allow(user, now)
	if !ok {
		n.Metrics.suppressed.Inc()
		return
	}
	for _, text := range []*string{&r.User, &r.Kind, &r.Namespace, &r.Name, &r.Class, &r.Message} {
		*text = line(*text)
	}
	r.Suppressed = suppressed
	n.occurred(occurrence{
		message: refused(&r, string(uuid.NewUUID()), now), namespace: r.Namespace, class: r.Class, by: user,
	})
}

// Tampered has the sinks told that what admission goes by was changed or deleted. Every replica sees it; the leader tells.
func (n *Notifier) Tampered(kind, name, message string) {
	const by = "\x00tampering" // nobody's name
	if !n.leading.Load() {
		return
	}
	now := n.Clock.Now()
	if ok, _ := n.limits.Allow(by, now); !ok {
		return // whoever does it over and over is told of
	}
	n.occurred(occurrence{message: tampered(&Tampering{Kind: kind, Name: name, Message: line(message)}, string(uuid.NewUUID()), now), by: by})
}

func (n *Notifier) occurred(one occurrence) {
	for _, w := range n.serving() {
		w.occurred(one)
	}
}

// record writes what a sink was told into a session's status.
func (n *Notifier) record(ctx context.Context, session *v1alpha1.DebugSession, sink string, sent []string) error {
	return sessionstatus.Apply(ctx, n.Client, session, client.FieldOwner(fieldOwner+sink),
		map[string]any{"notifications": []v1alpha1.SinkNotifications{{Sink: sink, Sent: sent}}})
}

// rests reports whether the session is condensed in the cache: then what the sinks were told is seen there.
func (n *Notifier) rests(ctx context.Context, session *v1alpha1.DebugSession) bool {
	cached := &v1alpha1.DebugSession{}
	err := n.Cache.Get(ctx, client.ObjectKeyFromObject(session), cached)
	return err == nil && cached.UID == session.UID && plan.Condensed(cached)
}

// secret reads the Secret, if the sink uses it.
func (n *Notifier) secret(ctx context.Context, spec *v1alpha1.DebugSinkSpec) (map[string][]byte, error) {
	if !usesSecret(spec) {
		return nil, nil
	}
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: n.Namespace, Name: v1alpha1.SinkSecretName}
	err := n.Live.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		return nil, secretError{fmt.Errorf("secret %s does not exist", key)}
	}
	if err != nil {
		return nil, secretError{fmt.Errorf("cannot read secret %s: %w", key, err)}
	}
	return secret.Data, nil
}

// wake has a sink looked at.
func (n *Notifier) wake(sink string) {
	if queue := n.sinks(); queue != nil { // else all are looked at when the controller starts
		queue.Add(ctrl.Request{NamespacedName: types.NamespacedName{Name: sink}})
	}
}

// lookAgain has a sink looked at again, after a pause that grows.
func (n *Notifier) lookAgain(sink string) {
	n.sinks().AddRateLimited(ctrl.Request{NamespacedName: types.NamespacedName{Name: sink}})
}

// sinks is the queue of the sinks to look at, nil before the controller starts.
func (n *Notifier) sinks() workqueue.TypedRateLimitingInterface[ctrl.Request] {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.queue
}

func namespaceMetadata() *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return object
}
