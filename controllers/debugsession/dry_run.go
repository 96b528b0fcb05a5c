package debugsession

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plan"
)

// observePreview has the API server do everything but keep it: admission, quota and validation see the real thing.
func (r *Reconciler) observePreview(ctx context.Context, session *v1alpha1.DebugSession, action plan.Action) plan.Observed[plan.Preview] {
	kept, hidden, err := r.dryRun(ctx, session, action)
	if create, copies := action.(plan.CreatePod); copies && apierrors.IsAlreadyExists(err) {
		return plan.Found(plan.Preview{Refusal: plan.NameTaken(create.Pod.Name)})
	}
	result := classify(action, err)
	switch {
	case result.Gone:
		return plan.Absent[plan.Preview]()
	case result.Refusal != nil:
		return plan.Found(plan.Preview{Refusal: result.Refusal})
	case result.Err != nil:
		return plan.Unknown[plan.Preview](result.Err)
	}
	object, err := json.Marshal(kept)
	if err != nil {
		return plan.Unknown[plan.Preview](err)
	}
	return plan.Found(plan.Preview{Object: object, Hidden: hidden})
}

// dryRun returns what may be shown of what the API server would keep, and what may not.
func (r *Reconciler) dryRun(ctx context.Context, session *v1alpha1.DebugSession, action plan.Action) (shown any, hidden []v1alpha1.HiddenValues, err error) {
	switch a := action.(type) {
	case plan.InjectDebugger:
		pod, err := r.patchEphemeral(ctx, a, client.DryRunAll)
		if err != nil {
			return nil, nil, err
		}
		if err := debugpod.CheckKept(debuggerOf(a), &pod.Spec); err != nil {
			return nil, nil, err
		}
		i := slices.IndexFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == a.Container.Name })
		if i < 0 {
			return nil, nil, fmt.Errorf("the API server's answer has no container %q", a.Container.Name)
		}
		kept := pod.Spec.EphemeralContainers[i]
		if !session.Spec.Debugger.Unstoppable { // nothing is around that one's command, whatever it looks like
			kept.Command = debugpod.Unwrap(kept.Command) // an approver wants to read what was asked for
		}
		hidden = debugpod.HideContainerValues(&kept, session)
		return kept, hidden, nil
	case plan.CreatePod:
		pod := a.Pod.DeepCopy()
		err := r.Client.Create(ctx, pod, client.DryRunAll)
		if err == nil {
			err = debugpod.CheckKept(debuggerOf(a), &pod.Spec)
		}
		debugpod.UnwrapHeld(pod, a.Held)
		pod.ManagedFields, pod.UID, pod.CreationTimestamp = nil, "", metav1.Time{}
		return pod, debugpod.HidePodValues(&pod.Spec, session), err
	default:
		return nil, nil, fmt.Errorf("a %T makes no debugger", action)
	}
}

// checkKept asks the API server before it is told: what it leaves out of a debugger, the debugger would run without. Nil if it
// keeps all. Hardly any session sets what may be left out, and the others are not asked about.
func (r *Reconciler) checkKept(ctx context.Context, session *v1alpha1.DebugSession, action plan.Action) *plan.Result {
	if !debugpod.MayLoseOptions(debuggerOf(action)) {
		return nil
	}
	_, _, err := r.dryRun(ctx, session, action)
	if err == nil || apierrors.IsAlreadyExists(err) { // whose pod that is, its creation finds out
		return nil
	}
	result := classify(action, err)
	return &result
}

// debuggerOf is what an action adds to the cluster, as a pod.
func debuggerOf(action plan.Action) *corev1.PodSpec {
	switch a := action.(type) {
	case plan.InjectDebugger:
		return &corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{a.Container}}
	case plan.CreatePod:
		return &a.Pod.Spec
	default:
		return &corev1.PodSpec{}
	}
}
