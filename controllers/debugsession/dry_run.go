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
		pod.ManagedFields, pod.UID, pod.CreationTimestamp = nil, "", metav1.Time{}
		return pod, debugpod.HidePodValues(&pod.Spec, session), err
	default:
		return nil, nil, fmt.Errorf("a %T makes no debugger", action)
	}
}
