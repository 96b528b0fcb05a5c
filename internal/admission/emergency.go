package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
)

// declared reports whether a session becomes an emergency: when it is created, or by an update while it waits.
func declared(session, old *v1alpha1.DebugSession) bool {
	return session.Spec.Emergency && !old.Spec.Emergency
}

// declareEmergency seals a session anew whose requester says, while it waits, that it is an emergency. A session that is not sealed as
// it was gets no seal: who asked for it is not known. The seal is made of what was there, and is worth nothing for anybody else, whatever
// the update says of the requester: the schema holds no more of that than the name.
func (s *Server) declareEmergency(p *patch, req *admission.Request, old *v1alpha1.DebugSession) *admission.Response {
	var refusal admission.Response
	switch {
	case old.Spec.Requester == nil || !s.Sealer.VerifySession(withNamespace(old, req.Namespace)):
		refusal = forbidden("spec.emergency: session %q was not stamped by the operator's admission webhook, so its requester is unknown; apply a new session", req.Name)
	case old.Spec.Requester.Username != req.UserInfo.Username:
		refusal = forbidden("spec.emergency: only %q, who requested session %q, can declare it an emergency; ask them to (kubectl dbg emergency %s -n %s), or apply your own session",
			old.Spec.Requester.Username, req.Name, req.Name, req.Namespace)
	case old.Status.StartedAt != nil || old.Status.Phase == v1alpha1.PhaseEnded:
		refusal = invalid("spec.emergency: session %q has started or ended, so it is not waiting for approval; leave spec.emergency unchanged", req.Name)
	case old.Status.Class != nil && old.Status.Class.ApprovalsRequired > 0 && old.Status.Class.Emergency == nil:
		refusal = forbidden("spec.emergency: class %q did not allow emergencies when session %q was admitted; wait for its approval, "+
			"or apply a new session if the class allows them now: kubectl describe debugclass %s", old.Spec.ClassName, req.Name, old.Spec.ClassName)
	default:
		sealed := *old.Spec.DeepCopy()
		sealed.Emergency = true
		p.set("/spec/requester/seal", s.Sealer.Session(req.Namespace, &sealed))
		return nil
	}
	return &refusal
}

// permitEmergency asks whether a session that is an emergency may be one. It costs a request, of emergencies alone.
func (s *Server) permitEmergency(ctx context.Context, user *authenticationv1.UserInfo, session *v1alpha1.DebugSession) *admission.Response {
	if !session.Spec.Emergency {
		return nil
	}
	return s.permit(ctx, user, v1alpha1.VerbEmergency, session.Spec.ClassName, session.Namespace)
}

// validateEmergency sees an emergency as it will be stored: that nobody owns it, and whether it may be declared of a session that waits.
func (s *Server) validateEmergency(ctx context.Context, req *admission.Request, session, old *v1alpha1.DebugSession) *admission.Response {
	if refusal := checkEmergencyOwners(session, old); refusal != nil {
		return refusal
	}
	if req.Operation != admissionv1.Update || !declared(session, old) {
		return nil
	}
	if session.Spec.Requester == nil || session.Spec.Requester.Username != req.UserInfo.Username || !s.Sealer.VerifySession(session) {
		refusal := forbidden("another admission webhook or policy in this cluster modified the session after it was stamped as an emergency; " +
			"a cluster administrator must exempt debugsessions.debugsession.dev from it")
		return &refusal
	}
	if refusal := s.permitEmergency(ctx, &req.UserInfo, session); refusal != nil {
		return refusal
	}
	if response := s.checkClass(ctx, req, session); !response.Allowed {
		return &response
	}
	return nil
}

// checkEmergencyOwners refuses an owner of an emergency: the garbage collector would delete the session with it, before its review, for
// someone who may not delete it.
func checkEmergencyOwners(session, old *v1alpha1.DebugSession) *admission.Response {
	if !session.Spec.Emergency {
		return nil
	}
	for i := range session.OwnerReferences {
		if owner := &session.OwnerReferences[i]; declared(session, old) || !ownedBy(old.OwnerReferences, owner) {
			refusal := forbidden("metadata.ownerReferences: an emergency must be reviewed, but deleting an owner would delete it before that; remove %s %q", owner.Kind, owner.Name)
			return &refusal
		}
	}
	return nil
}

func withNamespace(session *v1alpha1.DebugSession, namespace string) *v1alpha1.DebugSession {
	copied := *session
	copied.Namespace = namespace
	return &copied
}
