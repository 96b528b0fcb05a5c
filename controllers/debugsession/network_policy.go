package debugsession

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plan"
)

// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;create;delete

// createNetworkPolicy makes the policy, or finds the one that an earlier try has made. One that allows anything, or that is somebody
// else's, would isolate nothing.
func (r *Reconciler) createNetworkPolicy(ctx context.Context, session *v1alpha1.DebugSession, a plan.CreateNetworkPolicy) plan.Result {
	there := &networkingv1.NetworkPolicy{}
	return r.createOnce(ctx, a, a.Policy.DeepCopy(), there, func() *plan.Refusal {
		if debugpod.OwnedBy(there, session) && equality.Semantic.DeepEqual(there.Spec, a.Policy.Spec) {
			return nil
		}
		return &plan.Refusal{
			Reason:  v1alpha1.ReasonNameTaken,
			Message: fmt.Sprintf("NetworkPolicy %q already exists and is not this session's, or was changed; it was left untouched; apply a new session", there.Name),
		}
	})
}

func (r *Reconciler) deleteNetworkPolicy(ctx context.Context, session *v1alpha1.DebugSession, a plan.DeleteNetworkPolicy) error {
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: session.Namespace, Name: a.Name}}
	var only client.Preconditions
	if a.UID != "" {
		only.UID = &a.UID
	}
	return client.IgnoreNotFound(r.Client.Delete(ctx, policy, only))
}

// observeNetworkPolicy reads the session's policy. It goes by the name alone, which no other session can have: deleting a
// session with --cascade=orphan takes the owner reference away.
func (r *Reconciler) observeNetworkPolicy(ctx context.Context, session *v1alpha1.DebugSession, name string) plan.Observed[*networkingv1.NetworkPolicy] {
	policy := &networkingv1.NetworkPolicy{}
	return observed(policy, r.Live.Get(ctx, types.NamespacedName{Namespace: session.Namespace, Name: name}, policy))
}
