package helmhook

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// somebody creates no approvals, and is said to have.
const somebody = "debugsession-verify-somebody-else"

// verify checks that the API server asks the operator: an approval is stamped with who creates it, and one that says that somebody else
// did is refused. Nothing is stored, and the approval is for a session that does not exist.
func (h *hook) verify(ctx context.Context, namespace string) error {
	err := h.until(ctx, "approvals", func(ctx context.Context) error {
		return h.stamped(ctx, namespace)
	})
	if err != nil {
		return fmt.Errorf("the operator does not answer: %w", err)
	}
	_, _ = fmt.Fprintln(h.out, "ok: the operator stamps approvals with their creator")
	forged := approval(namespace)
	forged.Spec.Approver = &v1alpha1.Identity{Username: somebody}
	switch err := h.client.Create(ctx, forged, client.DryRunAll); {
	case err == nil:
		return errors.New("an approval in another user's name was accepted: apply the chart again, and make sure that nothing modifies its admission webhooks and policies")
	case !apierrors.IsForbidden(err):
		return fmt.Errorf("an approval in another user's name was not rejected as expected: %w", err)
	}
	_, _ = fmt.Fprintln(h.out, "ok: an approval in another user's name is rejected")
	return h.classes(ctx)
}

func (h *hook) stamped(ctx context.Context, namespace string) error {
	created := approval(namespace)
	if err := h.client.Create(ctx, created, client.DryRunAll); err != nil {
		return err
	}
	if created.Spec.Approver == nil || created.Spec.Approver.Seal == "" {
		return wrong{errors.New("an approval was not stamped with its creator: the chart's admission webhooks are not called")}
	}
	return nil
}

// classes tells which there are: without one, no session can begin.
func (h *hook) classes(ctx context.Context) error {
	classes := &v1alpha1.DebugClassList{}
	err := h.until(ctx, "classes", func(ctx context.Context) error {
		if err := h.client.List(ctx, classes); err != nil {
			return err
		}
		if len(classes.Items) == 0 {
			return errors.New("no DebugClass exists, so no session can start")
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range classes.Items {
		_, _ = fmt.Fprintf(h.out, "ok: class %s exists\n", classes.Items[i].Name)
	}
	return nil
}

func approval(namespace string) *v1alpha1.DebugApproval {
	return &v1alpha1.DebugApproval{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "verify-"},
		Spec:       v1alpha1.DebugApprovalSpec{SessionName: "verify", Decision: v1alpha1.DecisionDeny},
	}
}
