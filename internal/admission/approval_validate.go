package admission

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
)

// validateApproval sees the approval as it will be stored.
func (s *Server) validateApproval(ctx context.Context, req admission.Request) admission.Response {
	approval, old, err := decode[v1alpha1.DebugApproval](&req)
	if err != nil {
		return invalid("cannot decode the approval: %v", err)
	}
	approval.Namespace = req.Namespace
	if req.Operation == admissionv1.Update {
		return validateApprovalUpdate(&approval, &old)
	}
	unbound := s.Sealer.VerifyUnboundApproval(&approval)
	if approval.Spec.Approver == nil || approval.Spec.Approver.Username != req.UserInfo.Username || !unbound && !s.Sealer.VerifyApproval(&approval) {
		return forbidden("another admission webhook or policy in this cluster modified the approval after its approver was recorded; " +
			"a cluster administrator must exempt debugapprovals.debugsession.dev from it")
	}
	if unbound {
		return admission.Allowed("").WithWarnings("session " + approval.Spec.SessionName +
			" is not awaiting approval, so this approval has no effect; delete it, and create it again once the session is AwaitingApproval")
	}
	session, refusal := s.asking(ctx, req.Namespace, approval.Spec.SessionName)
	if refusal != nil {
		return *refusal
	}
	if session == nil || session.UID != approval.Spec.SessionUID {
		return invalid("spec.sessionName: session %q has just ended, or was replaced by another of the same name; nothing was approved", approval.Spec.SessionName)
	}
	return admission.Allowed("") // whether its author may approve was asked before it was sealed
}

// validateApprovalUpdate lets the metadata be edited freely but for one thing: an owner added to an approval would have the
// garbage collector delete it, and so revoke the session, for someone who may not delete it. Owners may be taken away, as
// the garbage collector itself does: what an approval is for is in its spec.
func validateApprovalUpdate(approval, old *v1alpha1.DebugApproval) admission.Response {
	for i := range approval.OwnerReferences {
		if owner := &approval.OwnerReferences[i]; !ownedBy(old.OwnerReferences, owner) {
			return forbidden("metadata.ownerReferences: cannot add an owner, because deleting it would revoke the approval; remove %s %q, or delete the approval to revoke it",
				owner.Kind, owner.Name)
		}
	}
	return admission.Allowed("")
}

// ownedBy goes by all that the garbage collector looks an owner up by: one that it does not find is gone to it, whatever the UID.
func ownedBy(owners []metav1.OwnerReference, owner *metav1.OwnerReference) bool {
	return slices.ContainsFunc(owners, func(r metav1.OwnerReference) bool {
		return r.UID == owner.UID && r.Name == owner.Name && r.Kind == owner.Kind && r.APIVersion == owner.APIVersion
	})
}
