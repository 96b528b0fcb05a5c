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

// observe answers what the plan asks, until it has decided. Nothing is read that was not asked for.
func (r *DebugSessionReconciler) observe(ctx context.Context, session *v1alpha1.DebugSession) (plan.Snapshot, plan.Plan) {
	snapshot := plan.Snapshot{Session: session, Now: r.Clock.Now()}
	watching := false
	for {
		decided := plan.Decide(snapshot)
		switch q := decided.Ask.(type) {
		case nil:
			if !watching {
				r.Pods.Release(client.ObjectKeyFromObject(session))
			}
			return snapshot, decided
		case plan.ListCandidates:
			snapshot.Candidates = r.observeCandidates(ctx, session)
		case plan.ReadTarget:
			watching = true
			snapshot.Target = r.observeTarget(ctx, session, q)
		case plan.ReadCopy:
			snapshot.Copy = r.observeCopy(ctx, session, q)
		default:
			panic("controllers: a question that is not answered")
		}
	}
}

// observeTarget reads a pod from its watch, which tells when to look again.
func (r *DebugSessionReconciler) observeTarget(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadTarget) plan.Observed[*corev1.Pod] {
	name := types.NamespacedName{Namespace: session.Namespace, Name: q.Name}
	if q.Fresh {
		return readPod(ctx, r.Live, name).Fresh()
	}
	pod, known, err := r.Pods.Get(client.ObjectKeyFromObject(session), name)
	switch {
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
func (r *DebugSessionReconciler) observeCopy(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadCopy) plan.Observed[*corev1.Pod] {
	name := types.NamespacedName{Namespace: session.Namespace, Name: q.Name}
	if q.Fresh {
		return readPod(ctx, r.Live, name).Fresh()
	}
	return readPod(ctx, r.Client, name)
}

func readPod(ctx context.Context, from client.Reader, name types.NamespacedName) plan.Observed[*corev1.Pod] {
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
