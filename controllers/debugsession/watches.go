package debugsession

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// nonBlockingSource lets a controller start before its source has synced: the kind may not be installed, or not be readable. The source
// goes on trying, and enqueues for every object when it can.
func nonBlockingSource(from source.Source) source.Source {
	return source.Func(from.Start)
}

// sessionOfApproval is the session that an approval names.
func sessionOfApproval(_ context.Context, object client.Object) []ctrl.Request {
	name := object.(*v1alpha1.DebugApproval).Spec.SessionName
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}}}
}

// sessionsNotStarted are the sessions that a change of their class matters to. The others have recorded what it granted them.
func (r *Reconciler) sessionsNotStarted(ctx context.Context, class client.Object) []ctrl.Request {
	return r.sessionsMatching(ctx, func(s *v1alpha1.DebugSession) bool {
		return s.Spec.ClassName == class.GetName() && s.Status.StartedAt == nil && s.Status.Phase != v1alpha1.PhaseEnded
	})
}

// expectRunning has the pods of sessions that run watched together when this process comes to lead: their sessions come to be looked at one after
// another. Those that are to end by now ask by themselves, first of all.
func (r *Reconciler) expectRunning(ctx context.Context) error {
	expected, ok := r.followed(ctx)
	if !ok {
		return nil // each asks by itself
	}
	r.Pods.Expect(expected)
	now, ok := r.followed(ctx)
	for session := range expected {
		if _, runs := now[session]; ok && !runs { // if that was seen before its pod was expected, nobody else would release it
			r.Pods.Release(session)
			r.Enqueuer.Enqueue(session) // else it asks again
		}
	}
	return nil
}

// followed are the pods of the sessions that run, and go on, by the session; not ok if the cache did not answer.
func (r *Reconciler) followed(ctx context.Context) (pods map[types.NamespacedName]types.NamespacedName, ok bool) {
	sessions := &v1alpha1.DebugSessionList{}
	if err := r.Sessions.List(ctx, sessions, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "listing the sessions that run")
		return nil, false
	}
	pods = map[types.NamespacedName]types.NamespacedName{}
	for i := range sessions.Items {
		session := &sessions.Items[i]
		if pod := plan.FollowedPod(session); pod != "" && !overdue(session, r.Clock.Now()) {
			pods[client.ObjectKeyFromObject(session)] = types.NamespacedName{Namespace: session.TargetNamespace(), Name: pod}
		}
	}
	return pods, true
}

// sessionsMatching are the sessions that fit, as the cache has them.
func (r *Reconciler) sessionsMatching(ctx context.Context, fit func(*v1alpha1.DebugSession) bool) []ctrl.Request {
	sessions := &v1alpha1.DebugSessionList{}
	if err := r.Client.List(ctx, sessions, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "listing the sessions to reconcile")
		return nil
	}
	var requests []ctrl.Request
	for i := range sessions.Items {
		if session := &sessions.Items[i]; fit(session) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(session)})
		}
	}
	return requests
}
