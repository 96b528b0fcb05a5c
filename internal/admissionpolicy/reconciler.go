package admissionpolicy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"debugsession.dev/operator/internal/tampering"
	"debugsession.dev/operator/internal/tracing"
)

// Name is the name of the policy and of its binding. Another policy has another name: replicas of two versions, each of which keeps its own,
// would else write it anew in turn without end, and none would be ready.
const Name = "debugsession-identity-v4"

const (
	// annotationSince is when the operator last wrote the object anew, and every API server enforces it: nobody vouches for what
	// was created earlier. Where it is missing, the object's creation counts.
	annotationSince = "debugsession.dev/enforced-since"

	// annotationGeneration is the object's UID and generation since then. It has another if its spec was changed, also if that was
	// taken back while no operator looked. Where it is missing, the object is as it was created.
	annotationGeneration = "debugsession.dev/enforced-generation"
)

// propagation is within which every API server enforces what was written: each looks at its policies once a second.
const propagation = 2 * time.Second

// margin is how far ahead the operator writes that time: it has whole seconds.
const margin = propagation + time.Second

// Reconciler keeps the policy and its binding. Every replica runs one.
type Reconciler struct {
	// Client reads from the cache that Cache describes, and writes.
	Client client.Client
	// Clock says when the two were written anew.
	Clock clock.PassiveClock
	// Tampering is shown the two whenever they change.
	Tampering tampering.Detector

	mu     sync.Mutex
	broken time.Time // when one of them was last seen missing or changed
}

// Cache has the manager's cache hold the one policy and its binding.
func Cache(options *cache.Options) {
	if options.ByObject == nil {
		options.ByObject = map[client.Object]cache.ByObject{}
	}
	one := cache.ByObject{Field: fields.OneTermEqualSelector(metav1.ObjectNameField, Name)}
	options.ByObject[&policy{}] = one
	options.ByObject[&binding{}] = one
}

// EnforcedSince is since when the API server has held what is stamped against who asks, or says in a sentence why it does not.
// It costs no request.
func (r *Reconciler) EnforcedSince(ctx context.Context) (time.Time, error) {
	var since time.Time
	for _, have := range kinds() {
		if err := r.Client.Get(ctx, client.ObjectKey{Name: Name}, have); apierrors.IsNotFound(err) {
			return since, fmt.Errorf("%s %q is missing, so the API server does not verify who requests a session; "+
				"the operator is creating it", kindOf(have), Name)
		} else if err != nil {
			return since, err
		}
		if changed(have) != "" {
			return since, fmt.Errorf("%s %q was modified, so the API server may not verify who requests a session; "+
				"the operator is restoring it", kindOf(have), Name)
		}
		since = latest(since, enforced(have))
	}
	if !since.After(r.lastBroken()) {
		return since, fmt.Errorf("ValidatingAdmissionPolicy %q was modified, and will be enforced again shortly", Name)
	}
	return since, nil
}

// InPlace says why what is created now is not held against who asks, or nil. Nobody vouches for what is created before every API server
// does, so that a replica that has just made the policy is not ready for it. A time further ahead is by another clock than ours: it is not
// waited for.
func (r *Reconciler) InPlace(ctx context.Context) error {
	since, err := r.EnforcedSince(ctx)
	if wait := since.Sub(r.Clock.Now()); err == nil && wait > 0 && wait <= margin {
		return fmt.Errorf("ValidatingAdmissionPolicy %q was just written, and every API server enforces it from %s on", Name, since.UTC().Format(time.RFC3339))
	}
	return err
}

// enforced is since when an object is, if nobody has changed it.
func enforced(object client.Object) time.Time {
	since := object.GetCreationTimestamp().Add(propagation)
	if written, err := time.Parse(time.RFC3339, object.GetAnnotations()[annotationSince]); err == nil {
		since = latest(since, written)
	}
	return since
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Reconcile writes anew what is missing or was changed. There is but one thing to reconcile: the request is not looked at.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	var errs []error
	for _, have := range kinds() {
		errs = append(errs, r.keep(ctx, have))
	}
	return ctrl.Result{}, errors.Join(errs...)
}

func (r *Reconciler) keep(ctx context.Context, have client.Object) error {
	err := r.Client.Get(ctx, client.ObjectKey{Name: Name}, have)
	missing := apierrors.IsNotFound(err)
	switch {
	case err != nil && !missing:
		return err
	case missing || changed(have) != "":
		r.saw(r.Clock.Now())
	case enforced(have).After(r.lastBroken()):
		return nil
	}
	log.FromContext(ctx).Info("restoring the identity policy", "kind", kindOf(have), "policy", Name, "missing", missing)
	now := mended(have)
	annotations := maps.Clone(now.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationSince] = r.Clock.Now().Add(margin).UTC().Format(time.RFC3339)
	if missing {
		delete(annotations, annotationGeneration)
	} else {
		annotations[annotationGeneration] = generation(have, nextGeneration(have))
	}
	now.SetAnnotations(annotations)
	if missing {
		now.SetName(Name)
		err = r.Client.Create(ctx, now)
	} else {
		err = r.Client.Update(ctx, now)
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return nil // somebody was first: what they wrote is on its way to the cache
	}
	return err
}

func (r *Reconciler) lastBroken() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// saw remembers that one of them was broken then.
func (r *Reconciler) saw(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = latest(r.broken, at)
}

func (r *Reconciler) note(have client.Object, fault string) {
	r.Tampering.Saw(kindOf(have), Name, fault)
}

// changed says so of what is not whole, or was not at some time since the operator wrote it.
func changed(have client.Object) string {
	written := cmp.Or(have.GetAnnotations()[annotationGeneration], generation(have, 1))
	switch {
	case !whole(have):
		return "it was changed"
	case written != generation(have, have.GetGeneration()):
		return "it was changed, and changed back"
	}
	return ""
}

func generation(of client.Object, generation int64) string {
	return fmt.Sprintf("%s.%d", of.GetUID(), generation)
}

// nextGeneration is the generation that an object has once it is written anew: the API server counts changes of its spec.
func nextGeneration(have client.Object) int64 {
	if whole(have) {
		return have.GetGeneration()
	}
	return have.GetGeneration() + 1
}

// SetupWithManager has the Reconciler run with every replica, as soon as the manager starts.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, trace *tracing.Provider) error {
	once := func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		queue.Add(ctrl.Request{}) // also if neither is there
		return nil
	}
	// A change that is taken back at once is seen as well.
	wake := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, have client.Object) []ctrl.Request {
		if changed(have) != "" {
			r.saw(r.Clock.Now())
		}
		return []ctrl.Request{{}}
	})
	note := predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { r.note(e.Object, changed(e.Object)); return true },
		UpdateFunc: func(e event.UpdateEvent) bool { r.note(e.ObjectNew, changed(e.ObjectNew)); return true },
		DeleteFunc: func(e event.DeleteEvent) bool { r.note(e.Object, "it was deleted"); return true },
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("admission-policy").
		Watches(&policy{}, wake, builder.WithPredicates(note)).
		Watches(&binding{}, wake, builder.WithPredicates(note)).
		WatchesRawSource(source.Func(once)).
		WithOptions(controller.Options{NeedLeaderElection: ptr.To(false)}).
		Complete(trace.Reconciler("AdmissionPolicy", r))
}
