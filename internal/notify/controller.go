package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/tracing"
	"debugsession.dev/operator/internal/userlimit"
)

const (
	// maxSinks is how many sinks are served: each costs a worker, and a line in the status of the sessions that it is told of.
	maxSinks = 32

	// secretPause is the pause before a sink is looked at again that cannot be used for its Secret.
	secretPause = 30 * time.Second
)

// Reconcile has a sink served as it is written, and says in its status whether that works.
func (n *Notifier) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	sink := &v1alpha1.DebugSink{}
	err := n.Client.Get(ctx, req.NamespacedName, sink)
	if apierrors.IsNotFound(err) || err == nil && sink.DeletionTimestamp != nil {
		n.remove(req.Name)
		return ctrl.Result{}, n.wakeAll(ctx) // one that was too many may have its place
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	surplus, err := n.surplus(ctx, sink)
	if err != nil {
		return ctrl.Result{}, err
	}
	if surplus {
		n.remove(sink.Name)
		return ctrl.Result{}, n.report(ctx, sink, nil, notReady(v1alpha1.ReasonTooMany,
			fmt.Sprintf("only the %d oldest sinks are served: delete one of them", maxSinks)))
	}
	w := n.serve(ctx, sink)
	if w == nil {
		return ctrl.Result{}, nil // the operator ends
	}
	ready, result := metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonValid, Message: "the sink receives the messages it selects"}, ctrl.Result{}
	if fault := w.update(ctx, sink); fault != nil {
		ready = notReady(v1alpha1.ReasonInvalid, fault.Error())
		if errors.As(fault, new(secretError)) {
			ready.Reason, result.RequeueAfter = v1alpha1.ReasonSecretNotFound, secretPause
		}
	}
	return result, errors.Join(n.catchUp(ctx, w), n.report(ctx, sink, w, ready))
}

func notReady(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: line(message)}
}

// surplus reports whether as many sinks as are served are older.
func (n *Notifier) surplus(ctx context.Context, sink *v1alpha1.DebugSink) (bool, error) {
	sinks := &v1alpha1.DebugSinkList{}
	if err := n.Client.List(ctx, sinks, client.UnsafeDisableDeepCopy); err != nil {
		return false, err
	}
	older := 0
	for i := range sinks.Items {
		other := &sinks.Items[i]
		if cmp.Or(other.CreationTimestamp.Time.Compare(sink.CreationTimestamp.Time), strings.Compare(other.Name, sink.Name)) < 0 {
			older++
		}
	}
	return older >= maxSinks, nil
}

// serve returns a sink's worker; nil if the operator ends.
func (n *Notifier) serve(ctx context.Context, sink *v1alpha1.DebugSink) *worker {
	n.mu.Lock()
	old := n.workers[sink.Name]
	n.mu.Unlock()
	if old != nil && old.uid != sink.UID {
		n.remove(sink.Name)
		old = nil
	}
	if old != nil {
		return old
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return nil
	}
	w := newWorker(n, sink)
	if n.workers == nil {
		n.workers = map[string]*worker{}
	}
	n.workers[sink.Name] = w
	delete(n.awaited, sink.Name)
	n.Metrics.serves(sink.Name)
	w.run(context.WithoutCancel(ctx))
	return w
}

func (n *Notifier) remove(sink string) {
	n.mu.Lock()
	w := n.workers[sink]
	delete(n.workers, sink)
	delete(n.awaited, sink)
	n.mu.Unlock()
	if w != nil {
		w.end()
		n.Metrics.forgets(sink)
	}
}

func (n *Notifier) wakeAll(ctx context.Context) error {
	sinks := &v1alpha1.DebugSinkList{}
	if err := n.Client.List(ctx, sinks, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range sinks.Items {
		n.wake(sinks.Items[i].Name)
	}
	return nil
}

// report writes a sink's status, and tells by an event when messages do not arrive any more, and when they do again. It is the
// leader's to write: what another replica finds out is in its metrics.
func (n *Notifier) report(ctx context.Context, sink *v1alpha1.DebugSink, w *worker, ready metav1.Condition) error {
	if !n.leading.Load() {
		return nil
	}
	base := sink.DeepCopy()
	sink.Status.ObservedGeneration = sink.Generation
	set := func(of string, condition metav1.Condition) {
		condition.Type, condition.ObservedGeneration = of, sink.Generation
		meta.SetStatusCondition(&sink.Status.Conditions, condition)
	}
	set(v1alpha1.ConditionReady, ready)
	if w != nil {
		switch now := w.health.Verdict(); {
		case now.Dead:
			set(v1alpha1.ConditionDelivering, notReady(v1alpha1.ReasonNotDelivered,
				now.Message+"; its messages are kept, and retried at least once a minute"))
		case now.Arrives:
			set(v1alpha1.ConditionDelivering, metav1.Condition{
				Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDelivering, Message: "messages are delivered",
			})
		}
	}
	if equality.Semantic.DeepEqual(base.Status, sink.Status) {
		return nil
	}
	err := n.Client.Status().Patch(ctx, sink, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	switch {
	case apierrors.IsConflict(err):
		n.lookAgain(sink.Name) // the cache was behind this process's own last write, of which no watch tells
		return nil
	case err == nil:
		n.announce(sink, base)
	}
	return client.IgnoreNotFound(err)
}

// announce makes an event of a change of Delivering.
func (n *Notifier) announce(sink, before *v1alpha1.DebugSink) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionDelivering)
	is := meta.FindStatusCondition(sink.Status.Conditions, v1alpha1.ConditionDelivering)
	if is == nil || was != nil && was.Status == is.Status || was == nil && is.Status == metav1.ConditionTrue {
		return
	}
	kind := corev1.EventTypeNormal
	if is.Status == metav1.ConditionFalse {
		kind = corev1.EventTypeWarning
	}
	n.Events.Eventf(sink, nil, kind, is.Reason, "Notify", "%s", is.Message)
}

// SetupWithManager has sinks served by every replica, and sessions watched by the leader. Where the kind is not installed, its
// controller waits for it, and nothing else does.
func (n *Notifier) SetupWithManager(mgr ctrl.Manager, trace *tracing.Provider) error {
	n.limits = userlimit.New(userRate, allRate)
	if err := mgr.Add(n); err != nil {
		return err
	}
	if err := mgr.Add(lead{n}); err != nil {
		return err
	}
	own := func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.queue = queue
		return nil
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("debugsink").
		For(&v1alpha1.DebugSink{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Func(own)).
		WithOptions(controller.Options{NeedLeaderElection: ptr.To(false)}).
		Complete(trace.Reconciler("DebugSink", n))
}
