package admission

import (
	"context"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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
		return s.restampApproval(&req, &approval, &old)
	}
	approver, differs := identify(approval.Spec.Approver, &req.UserInfo)
	if differs != "" {
		return forbidden("spec.approver: must be the user who creates the approval: %s; "+
			"remove spec.approver to have it filled in, or have that user create the approval", differs)
	}
	approval.Spec.Approver = approver
	session, refusal := s.asking(ctx, req.Namespace, approval.Spec.SessionName)
	if refusal != nil {
		return *refusal
	}
	var p patch
	if session == nil {
		if refusal := s.permitAny(ctx, &req.UserInfo, v1alpha1.VerbApprove, req.Namespace); refusal != nil {
			return *refusal
		}
		haveApplySent(&p, &approval)
		approver.Seal = s.Sealer.UnboundApproval(req.Namespace, &approval.Spec)
	} else {
		if refusal := s.bindPermitted(ctx, &p, &req, &approval, session); refusal != nil {
			return *refusal
		}
		approver.Seal = s.Sealer.Approval(req.Namespace, &approval.Spec)
	}
	p.set("/spec/approver", approver)
	return p.response()
}

// asking is the session if it is there and asks for approval now, or for its review, else nil. It is read live: what is approved must not be
// what was asked a moment ago.
func (s *Server) asking(ctx context.Context, namespace, name string) (*v1alpha1.DebugSession, *admission.Response) {
	session := &v1alpha1.DebugSession{}
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, session)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		response := undecided("spec.sessionName: cannot read session %q in namespace %q: %v", name, namespace, err)
		return nil, &response
	case session.Status.Request == nil, session.Status.Request.Hash == "", session.Status.Class == nil,
		session.Status.Phase == v1alpha1.PhaseEnded && !session.Status.AwaitsReview(), session.DeletionTimestamp != nil:
		return nil, nil
	}
	return session, nil
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
	case spec.RequestHash == "" && spec.Decision == v1alpha1.DecisionApprove && session.Status.Class.RequireRequestHash:
		refusal = invalid("spec.requestHash: required by class %q; review status.request of session %q, then set its hash: "+
			"kubectl get dbg %s -n %s -o jsonpath={.status.request.hash}", session.Spec.ClassName, session.Name, session.Name, session.Namespace)
	case spec.RequestHash != "" && spec.RequestHash != hash:
		refusal = changed("requestHash", spec.RequestHash, hash, session)
	case spec.TTL != nil && spec.TTL.Duration != ttl.Duration:
		refusal = changed("ttl", v1alpha1.FormatDuration(spec.TTL.Duration), v1alpha1.FormatDuration(ttl.Duration), session)
	default:
		bindUnset(p, spec, session.UID, hash, ttl)
		return nil
	}
	return &refusal
}

// bindUnset fills in what the approval leaves open, and nothing else: 30m that became 30m0s would be drift to whatever
// applies the manifest again. It adds no owner: an approval that went with its session would, applied again, be bound to the next
// session of that name.
func bindUnset(p *patch, spec *v1alpha1.DebugApprovalSpec, uid types.UID, hash string, ttl metav1.Duration) {
	if spec.SessionUID == "" {
		spec.SessionUID = uid
		p.set("/spec/sessionUID", uid)
	}
	if spec.RequestHash == "" {
		spec.RequestHash = hash
		p.set("/spec/requestHash", hash)
	}
	if spec.TTL == nil {
		spec.TTL = &ttl
		p.set("/spec/ttl", v1alpha1.Duration(ttl))
	}
}

func changed(field, given, actual string, session *v1alpha1.DebugSession) admission.Response {
	return invalid("spec.%s: does not match session %q: you approve %s, but it is now %s; "+
		"review its request (kubectl get debugsession %s -n %s -o yaml, status.request) and approve that, or omit the field",
		field, session.Name, given, actual, session.Name, session.Namespace)
}

// effectiveTTL is how long the session would last.
func effectiveTTL(session *v1alpha1.DebugSession) metav1.Duration {
	return metav1.Duration{Duration: session.TTL()}
}

// haveApplySent changes what kubectl apply has written down of an approval that counts for nothing, by an empty line. As it was, kubectl
// would say "unchanged" to somebody else who applies the same manifest, and ask nobody: their word would be lost, a denial too.
// So every apply comes here, and changes nothing if it is the author's.
func haveApplySent(p *patch, approval *v1alpha1.DebugApproval) {
	if applied, ok := approval.Annotations[corev1.LastAppliedConfigAnnotation]; ok {
		p.annotate(approval.Annotations, corev1.LastAppliedConfigAnnotation, strings.TrimRight(applied, "\n")+"\n\n")
	}
}

// restampApproval has a manifest without the stamps replace the approval that was made from it.
func (s *Server) restampApproval(req *admission.Request, approval, old *v1alpha1.DebugApproval) admission.Response {
	var p patch
	unbound := old.Spec.SessionUID == "" || s.Sealer.VerifyUnboundApproval(old)
	_, applied := approval.Annotations[corev1.LastAppliedConfigAnnotation]
	if (unstamped(approval.Spec.Approver) || unbound && applied) && !madeBy(req, old.Spec.Approver, &old.ObjectMeta) {
		return occupied("approval", req, old.Spec.Approver)
	}
	if unbound {
		haveApplySent(&p, approval)
	}
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
