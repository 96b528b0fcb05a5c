// Package debugsession joins the pure planner to the cluster: it reads what the plan needs, performs what the plan says, and writes
// the status. It decides nothing.
package debugsession

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/index"
	"debugsession.dev/operator/internal/kube/podexec"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/tracing"
	"debugsession.dev/operator/internal/trust"
)

// Reconciler carries sessions from their creation to their end.
type Reconciler struct {
	// Client reads sessions and copies from caches, and writes.
	Client client.Client
	// Sessions reads sessions from the cache as they are there: condensed, if they have ended and rest.
	Sessions client.Reader
	// Live reads from the API server itself.
	Live client.Reader
	// Pods watches the pods that are being debugged, one watch each or one for many, and those that armed sessions wait for, one watch for each selector.
	Pods PodWatcher
	// Enqueuer enqueues the sessions whose pod has changed.
	Enqueuer *Enqueuer
	// Exec runs a command in a container, if there is room for one more.
	Exec Executor
	// Logs reads the end of what a container wrote.
	Logs LogReader
	// Grants deletes Roles and RoleBindings.
	Grants GrantDeleter
	// Records has audit records logged and stored.
	Records Recorder
	// Events tells the user.
	Events events.EventRecorder
	// Metrics counts what was persisted.
	Metrics Metrics
	// Clock is read once a pass.
	Clock clock.PassiveClock
	// Image is the operator's own image; empty if that is not known.
	Image string
	// Namespace is the operator's own.
	Namespace string
	// Concurrency is how many sessions are worked on at once.
	Concurrency int

	// Seal verifies what the operator's own admission has stamped.
	Seal Seal
	// Admission tells what that is worth.
	Admission trust.Admission

	states   sessionStates // in-process state per session
	starting sync.Mutex    // held from counting the running sessions until one more is persisted
}

// Seal is what the reconciler needs of internal/seal.
type Seal interface {
	trust.Seal
	// VerifyChange returns who has set the session's ttl and end, as admission has seen it; nil if that is not known.
	VerifyChange(session *v1alpha1.DebugSession) *v1alpha1.ChangeStatus
	// HashKey is the key of the hash that stands for what is approved.
	HashKey() []byte
}

// PodWatcher is what the reconciler needs of internal/kube/podwatch.
type PodWatcher interface {
	// Get returns the pod, nil if there is none. It is not known until the watch has begun; the session is then enqueued.
	Get(session, pod types.NamespacedName) (found *corev1.Pod, known bool, err error)
	// List is the same for the pods of a namespace that have the labels.
	List(session types.NamespacedName, namespace, labels string) (found []corev1.Pod, known bool, err error)
	Release(session types.NamespacedName)
	// Expect has the pods of sessions watched together, by the session, as Get would.
	Expect(pods map[types.NamespacedName]types.NamespacedName)
	// Hurry has a session that was expected not wait for the others.
	Hurry(session types.NamespacedName)
}

// Executor is what the reconciler needs of internal/kube/podexec.
type Executor interface {
	// Exec runs a command in a container, and returns when it has ended; podexec.ErrBusy if it was not run, as too many others are.
	Exec(ctx context.Context, in podexec.Container, command []string) error
}

// LogReader reads the end of what a container wrote; of one that its kubelet starts again, in the run that ended in that second.
type LogReader interface {
	End(ctx context.Context, pod types.NamespacedName, container string, ended time.Time) (string, error)
}

// GrantDeleter deletes a Role or RoleBinding, and says what holds it if it stays.
type GrantDeleter interface {
	Delete(ctx context.Context, resource string, name types.NamespacedName) (heldBy []string, err error)
}

// Recorder is what the reconciler needs of internal/recorder. None of it waits for the store.
type Recorder interface {
	// HasStore reports whether there is a store.
	HasStore() bool
	// State is what is known of a session's record.
	State(session *v1alpha1.DebugSession) plan.RecordState
	// Transcript is what is known of a session's transcript. The session is looked at when that changes.
	Transcript(session *v1alpha1.DebugSession) plan.TranscriptState
	// Artifacts is what is known of the files that a session keeps. The session is looked at when that is complete.
	Artifacts(session *v1alpha1.DebugSession) plan.ArtifactsState
	// Store has the record of a session that waits for it stored, and the session looked at then.
	Store(session *v1alpha1.DebugSession)
	// Log writes the record of a session that has ended into the log.
	Log(ctx context.Context, session *v1alpha1.DebugSession)
}

// Metrics is what the reconciler counts.
type Metrics interface {
	Ready(mode v1alpha1.Mode, after time.Duration)
	Ended(session *v1alpha1.DebugSession)
}

// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsessions,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsessions/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups="",resources=pods/ephemeralcontainers,verbs=patch
// +kubebuilder:rbac:groups="",resources=nodes;persistentvolumeclaims,verbs=get
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugclasses;debugapprovals,verbs=get;list;watch
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,verbs=create;patch;delete
// The next are held to be given on, for one pod at a time: RBAC lets nobody give what they do not hold. pods/exec is
// also how a debugger is ended early, and pods/log how what one prints gets into its transcript, and into the session's status.
// +kubebuilder:rbac:groups="",resources=pods/attach;pods/exec;pods/portforward,verbs=create;get
// +kubebuilder:rbac:groups="",resources=pods/log,verbs=get
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets;replicasets,verbs=get
// +kubebuilder:rbac:groups=batch,resources=jobs;cronjobs,verbs=get
// +kubebuilder:rbac:groups=*,resources=*/scale,verbs=get
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=list
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile observes a session and moves it on by at most one step.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	session, err := r.read(ctx, req.NamespacedName)
	if session == nil || err != nil {
		return ctrl.Result{}, err
	}
	stored := r.resume(session)
	before := session.Status.Phase
	decided, err := r.decide(ctx, session)
	defer decided.done()
	if err != nil {
		return ctrl.Result{}, err
	}
	concluded := r.carryOut(ctx, session, decided)
	if r.leaveUnwritten(session, stored, &concluded) {
		decided.done()
		if concluded.Status.Phase != before { // its end has begun
			return r.Reconcile(ctx, req)
		}
		session.Status = concluded.Status
		describeSpan(ctx, before, session)
		return r.requeue(req.NamespacedName, concluded)
	}
	// The lock makes this pass's decision count only for the version that it was made from.
	err = r.writeStatus(ctx, session, stored, concluded, optimisticLockPatch)
	decided.done() // what follows may decide again, and count
	if err = r.writeEnding(ctx, session, stored.Phase, concluded, err); err != nil {
		concluded.Retry = errors.Join(concluded.Retry, err)
	}
	describeSpan(ctx, before, session)
	return r.requeue(req.NamespacedName, concluded)
}

// read returns the session, or nil if it is gone: then nothing is held for it any more. One that has ended and rests is a condensed copy,
// of which the plan reads when its retention is due, and which is written to by nobody.
func (r *Reconciler) read(ctx context.Context, key types.NamespacedName) (*v1alpha1.DebugSession, error) {
	session := &v1alpha1.DebugSession{}
	if err := r.Sessions.Get(ctx, key, session); err != nil {
		if apierrors.IsNotFound(err) {
			r.Pods.Release(key)
			r.states.forget(key)
			err = nil
		}
		return nil, err
	}
	newest := r.states.newest(session)
	if plan.Condensed(newest) { // it rests, most likely for good
		r.states.forget(key)
	}
	return newest, nil
}

// requeue has the session reconciled again when the plan says. What could not be done is retried with a growing backoff, which must
// not outlast that time; everything else comes by watches.
func (r *Reconciler) requeue(session types.NamespacedName, p plan.Plan) (ctrl.Result, error) {
	if p.WakeAt.IsZero() {
		return ctrl.Result{}, p.Retry
	}
	// At least a millisecond: zero would mean never.
	wait := max(p.WakeAt.Sub(r.Clock.Now()), time.Millisecond)
	if p.Retry != nil {
		r.Enqueuer.EnqueueAfter(session, wait)
		return ctrl.Result{}, p.Retry
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// SetupWithManager registers the reconciler, and what enqueues sessions: themselves, the pods it made, and the pods it watches; and, when
// they can be read, classes and approvals, which sessions end without.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, trace *tracing.Provider) error {
	if err := index.Add(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	for _, run := range []manager.RunnableFunc{r.watchClock, r.expectRunning} {
		if err := mgr.Add(run); err != nil {
			return err
		}
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("debugsession").
		For(&v1alpha1.DebugSession{}, builder.WithPredicates(predicate.Not(endedPredicate))).
		Watches(&v1alpha1.DebugSession{}, lowPriority(), builder.WithPredicates(endedPredicate)).
		Watches(&v1alpha1.DebugSession{}, overdueFirst(r.Clock)).
		Watches(&v1alpha1.DebugSession{}, relatives()).
		Owns(&corev1.Pod{}).
		WatchesRawSource(nonBlockingSource(source.Kind[client.Object](mgr.GetCache(), &v1alpha1.DebugApproval{},
			handler.EnqueueRequestsFromMapFunc(sessionOfApproval)))).
		WatchesRawSource(nonBlockingSource(source.Kind[client.Object](mgr.GetCache(), &v1alpha1.DebugClass{},
			handler.EnqueueRequestsFromMapFunc(r.sessionsNotStarted),
			predicate.GenerationChangedPredicate{}))). // not when its sessions are counted anew
		WatchesRawSource(r.Enqueuer.source()).
		WithOptions(r.options()).
		Complete(trace.Reconciler("DebugSession", r))
}
