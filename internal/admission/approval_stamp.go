package admission

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
)

// stampApproval writes into a new approval who gave it and, if its session asks for one, what exactly it is for.
func (s *Server) stampApproval(ctx context.Context, req admission.Request) admission.Response {
	approval, old, err := decode[v1alpha1.DebugApproval](&req)
	if err != nil {
		return unreadable()
	}
	if req.Operation == admissionv1.Update {
		return restampApproval(&approval, &old)
	}
	approver, differs := identify(approval.Spec.Approver, &req.UserInfo)
	if differs != "" {
		return forbidden("spec.approver is who creates the approval, and nobody else: its %s; "+
			"remove spec.approver, and it is filled in, or have the other create the approval", differs)
	}
	approval.Spec.Approver = approver
	session, refusal := s.asking(ctx, req.Namespace, approval.Spec.SessionName)
	if refusal != nil {
		return *refusal
	}
	var p patch
	if session == nil {
		if refusal := checkUnbound(&approval.Spec, req.Namespace); refusal != nil {
			return *refusal
		}
	} else if refusal := s.bindPermitted(ctx, &p, &req, &approval, session); refusal != nil {
		return *refusal
	}
	approver.Seal = s.Sealer.Approval(req.Namespace, &approval.Spec)
	p.set("/spec/approver", approver)
	return p.response()
}

// asking is the session if it is there and asks for approval now, else nil. It is read live: what is approved must not be
// what was asked a moment ago.
func (s *Server) asking(ctx context.Context, namespace, name string) (*v1alpha1.DebugSession, *admission.Response) {
	session := &v1alpha1.DebugSession{}
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, session)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		response := undecided("spec.sessionName: session %q of namespace %q cannot be read (%v)", name, namespace, err)
		return nil, &response
	case session.Status.Request == nil, session.Status.Request.Hash == "", session.Status.Class == nil,
		session.Status.Phase == v1alpha1.PhaseEnded, session.DeletionTimestamp != nil:
		return nil, nil
	}
	return session, nil
}

// checkUnbound refuses an approval that insists on what is not there. Without that it is let in, counts for nothing and
// says why: a tool that applies a session and its approval together, or dry-runs both first, would else never get on.
func checkUnbound(spec *v1alpha1.DebugApprovalSpec, namespace string) *admission.Response {
	if spec.RequestHash == "" && spec.SessionUID == "" && spec.TTL == nil {
		return nil
	}
	response := invalid("spec.requestHash, sessionUID and ttl cannot be confirmed: there is no session %q in namespace %q that asks for approval now; "+
		"create the approval when kubectl get debugsession %s -n %s -o jsonpath={.status.request} shows what is asked, or leave the three out",
		spec.SessionName, namespace, spec.SessionName, namespace)
	return &response
}

// bindPermitted binds the approval if its author may approve. That is asked before the seal is made, so that a bound approval
// with a seal was given by somebody who might, whatever has become of the webhook that validates.
func (s *Server) bindPermitted(ctx context.Context, p *patch, req *admission.Request, approval *v1alpha1.DebugApproval, session *v1alpha1.DebugSession) *admission.Response {
	if refusal := s.permit(ctx, &req.UserInfo, v1alpha1.VerbApprove, session.Spec.ClassName, req.Namespace); refusal != nil {
		return refusal
	}
	return bind(p, approval, session)
}

// bind ties the approval to what the session asks for now, or refuses if its author meant something else.
func bind(p *patch, approval *v1alpha1.DebugApproval, session *v1alpha1.DebugSession) *admission.Response {
	spec, hash, ttl := &approval.Spec, session.Status.Request.Hash, effectiveTTL(session)
	var refusal admission.Response
	switch {
	case spec.SessionUID != "" && spec.SessionUID != session.UID:
		refusal = changed("sessionUID", string(spec.SessionUID), string(session.UID), session)
	case spec.RequestHash != "" && spec.RequestHash != hash:
		refusal = changed("requestHash", spec.RequestHash, hash, session)
	case spec.TTL != nil && spec.TTL.Duration != ttl.Duration:
		refusal = changed("ttl", v1alpha1.FormatDuration(spec.TTL.Duration), v1alpha1.FormatDuration(ttl.Duration), session)
	default:
		spec.SessionUID, spec.RequestHash, spec.TTL = session.UID, hash, &ttl
		p.set("/spec/sessionUID", session.UID)
		p.set("/spec/requestHash", hash)
		p.set("/spec/ttl", ttl)
		owner := metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession", Name: session.Name, UID: session.UID}
		if !ownedBy(approval, &owner) {
			p.addOwner(&approval.ObjectMeta, owner)
		}
		return nil
	}
	return &refusal
}

func changed(field, given, actual string, session *v1alpha1.DebugSession) admission.Response {
	return invalid("spec.%s: session %q asks for something else now: you approve %s, it is %s; "+
		"look at what it asks for (kubectl get debugsession %s -n %s -o yaml, status.request), and approve that, or leave the field out",
		field, session.Name, given, actual, session.Name, session.Namespace)
}

// effectiveTTL is how long the session would last.
func effectiveTTL(session *v1alpha1.DebugSession) metav1.Duration {
	if session.Spec.TTL != nil {
		return *session.Spec.TTL
	}
	return session.Status.Class.TTL
}

// ownedBy goes by all that the garbage collector looks an owner up by: one that it does not find is gone to it, whatever the UID.
func ownedBy(approval *v1alpha1.DebugApproval, owner *metav1.OwnerReference) bool {
	return slices.ContainsFunc(approval.OwnerReferences, func(r metav1.OwnerReference) bool {
		return r.UID == owner.UID && r.Name == owner.Name && r.Kind == owner.Kind && r.APIVersion == owner.APIVersion
	})
}

// restampApproval has a manifest without the stamps replace the approval that was made from it.
func restampApproval(approval, old *v1alpha1.DebugApproval) admission.Response {
	var p patch
	if approval.Spec.SessionUID == "" && old.Spec.SessionUID != "" {
		p.set("/spec/sessionUID", old.Spec.SessionUID)
	}
	if approval.Spec.RequestHash == "" && old.Spec.RequestHash != "" {
		p.set("/spec/requestHash", old.Spec.RequestHash)
	}
	if approval.Spec.TTL == nil && old.Spec.TTL != nil {
		p.set("/spec/ttl", old.Spec.TTL)
	}
	restampIdentity(&p, "/spec/approver", approval.Spec.Approver, old.Spec.Approver)
	return p.response()
}
