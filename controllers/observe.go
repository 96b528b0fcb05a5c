package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// observe reads what the plan needs, and nothing else.
func (r *DebugSessionReconciler) observe(ctx context.Context, session *v1alpha1.DebugSession) plan.Snapshot {
	snapshot := plan.Snapshot{Session: session, Now: r.Clock.Now()}
	needs := plan.Needs(session)
	key := client.ObjectKeyFromObject(session)

	if needs.Candidates {
		snapshot.Candidates = r.observeCandidates(ctx, session)
	}
	if needs.Target != "" {
		snapshot.Target = r.observeTarget(ctx, key, sibling(session, needs.Target), needs.Live)
	} else {
		r.Pods.Release(key)
	}
	if needs.Copy != "" {
		// A cache may not have seen yet what was created, so it is not believed when it says that a recorded pod is gone.
		live := needs.Live || session.Status.Debugger.PodUID != ""
		snapshot.Copy = r.observeCopy(ctx, sibling(session, needs.Copy), needs.Live, live)
	}
	return snapshot
}

// observeTarget reads the target from its watch. A live read keeps the watch as well: it tells when to look again.
func (r *DebugSessionReconciler) observeTarget(ctx context.Context, session, name types.NamespacedName, live bool) plan.Observed[*corev1.Pod] {
	pod, known, err := r.Pods.Get(session, name)
	switch {
	case live:
		return r.readPod(ctx, r.Live, name)
	case err != nil:
		return plan.Unknown[*corev1.Pod](err)
	case !known:
		return plan.Awaited[*corev1.Pod]()
	case pod == nil:
		return plan.Absent[*corev1.Pod]()
	default:
		return plan.Found(pod)
	}
}

// observeCopy reads the copy from the cache of pods that the operator made.
func (r *DebugSessionReconciler) observeCopy(ctx context.Context, name types.NamespacedName, live, confirm bool) plan.Observed[*corev1.Pod] {
	if !live {
		cached := &corev1.Pod{}
		err := r.Client.Get(ctx, name, cached)
		if err == nil {
			return plan.Found(cached)
		}
		if !apierrors.IsNotFound(err) {
			return plan.Unknown[*corev1.Pod](err)
		}
		if !confirm {
			return plan.Absent[*corev1.Pod]()
		}
	}
	return r.readPod(ctx, r.Live, name)
}

func (r *DebugSessionReconciler) readPod(ctx context.Context, from client.Reader, name types.NamespacedName) plan.Observed[*corev1.Pod] {
	pod := &corev1.Pod{}
	err := from.Get(ctx, name, pod)
	switch {
	case apierrors.IsNotFound(err):
		return plan.Absent[*corev1.Pod]()
	case err != nil:
		return plan.Unknown[*corev1.Pod](err)
	default:
		return plan.Found(pod)
	}
}

func sibling(session *v1alpha1.DebugSession, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: session.Namespace, Name: name}
}
