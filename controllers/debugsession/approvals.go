package debugsession

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/index"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/trust"
)

// observeApprovals lists the approvals that name the session. The API server has no index of those names, so a fresh answer
// takes all approvals of the namespace; it is asked for once a session, right before it starts.
func (r *Reconciler) observeApprovals(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadApprovals) plan.Observed[[]approval.Approval] {
	list, err := r.listApprovals(ctx, session, q.Fresh)
	if err != nil {
		return plan.Unknown[[]approval.Approval](err)
	}
	var approvals []approval.Approval
	for i := range list {
		if approval := &list[i]; approval.Spec.SessionName == session.Name {
			approvals = append(approvals, trust.Approval(ctx, r.Seal, r.Admission, approval, session))
		}
	}
	observed := plan.Found(approvals)
	if q.Fresh {
		observed = observed.Fresh()
	}
	return observed
}

func (r *Reconciler) listApprovals(ctx context.Context, session *v1alpha1.DebugSession, fresh bool) ([]v1alpha1.DebugApproval, error) {
	if !fresh {
		return index.ApprovalsOf(ctx, r.Client, client.ObjectKeyFromObject(session))
	}
	list := &v1alpha1.DebugApprovalList{}
	err := r.Live.List(ctx, list, client.InNamespace(session.Namespace))
	return list.Items, err
}
