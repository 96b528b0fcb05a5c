package admission

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
)

// stampSession writes into a new session who created it, its class and the seal.
func (s *Server) stampSession(ctx context.Context, req admission.Request) admission.Response {
	session, old, err := decode[v1alpha1.DebugSession](&req)
	if err != nil {
		return unreadable()
	}
	if req.Operation == admissionv1.Update {
		return s.restampSession(&req, &session, &old)
	}
	if session.Spec.MemberOf != nil { // in the name of who asked for the session that it is a member of, which vouches for it
		if refusal := s.permitMember(ctx, &req.UserInfo); refusal != nil {
			return *refusal
		}
		return admission.Allowed("")
	}
	requester, differs := identify(session.Spec.Requester, &req.UserInfo)
	if differs != "" {
		return forbidden("spec.requester: must be the user who creates the session: %s; "+
			"remove spec.requester to have it filled in, or have that user create the session", differs)
	}
	var p patch
	if session.Spec.ClassName == "" {
		name, refusal := s.defaultClass(ctx, &req, &session)
		if refusal != nil {
			return *refusal
		}
		session.Spec.ClassName = name
		p.set("/spec/className", name)
	}
	session.Spec.Requester = requester
	requester.Seal = s.Sealer.Session(req.Namespace, &session.Spec)
	p.set("/spec/requester", requester)
	// The operator would add it before it makes anything; here it costs no request.
	if !slices.Contains(session.Finalizers, v1alpha1.Finalizer) {
		p.addFinalizer(&session.ObjectMeta, v1alpha1.Finalizer)
	}
	return p.response()
}

// restampSession has a manifest without the stamps, or with as much of them as its author wrote, replace the session that
// was made from it. Anything else the CRD refuses: both fields are immutable.
func (s *Server) restampSession(req *admission.Request, session, old *v1alpha1.DebugSession) admission.Response {
	if unstamped(session.Spec.Requester) && !session.Spec.End && !madeBy(req, old.Spec.Requester, &old.ObjectMeta) {
		return occupied("session", req, old.Spec.Requester)
	}
	var p patch
	if session.Spec.ClassName == "" && old.Spec.ClassName != "" {
		p.set("/spec/className", old.Spec.ClassName)
	}
	restampIdentity(&p, "/spec/requester", session.Spec.Requester, old.Spec.Requester)
	if declared(session, old) {
		if refusal := s.declareEmergency(&p, req, old); refusal != nil {
			return *refusal
		}
	}
	if session.Spec.Requester == nil && slices.Contains(old.Finalizers, v1alpha1.Finalizer) && !slices.Contains(session.Finalizers, v1alpha1.Finalizer) &&
		old.Status.Phase != v1alpha1.PhaseEnded {
		p.addFinalizer(&session.ObjectMeta, v1alpha1.Finalizer) // kubectl replace takes away all that its manifest does not have
	}
	return p.response()
}

// unstamped reports whether an object comes as its author would write it: it is a manifest, and no edit of what is there.
func unstamped(identity *v1alpha1.Identity) bool { return identity == nil || identity.Seal == "" }

// madeBy reports whether the user may restate an object: who created it, or anybody while it is being deleted.
func madeBy(req *admission.Request, author *v1alpha1.Identity, old *metav1.ObjectMeta) bool {
	return author == nil || author.Username == req.UserInfo.Username || old.DeletionTimestamp != nil
}

// occupied refuses the manifest of somebody else, which would change nothing and seem to. The policy beside the webhooks
// refuses the applies that do not come here, in the same words.
func occupied(kind string, req *admission.Request, author *v1alpha1.Identity) admission.Response {
	return forbidden("%s %q already exists and was created by %q: applying yours over it would not make it yours, so nothing was changed; "+
		"choose another name, or review the existing one (kubectl get debug%s %s -n %s -o yaml) and delete it first",
		kind, req.Name, author.Username, kind, req.Name, req.Namespace)
}

func restampIdentity(p *patch, path string, identity, old *v1alpha1.Identity) {
	if old == nil || contradicts(identity, old) != "" {
		return
	}
	if unstamped(identity) {
		p.set(path, old)
	}
}

// defaultClass is the name of the class that sessions get which name none: of several, the newest, as of StorageClasses.
func (s *Server) defaultClass(ctx context.Context, req *admission.Request, session *v1alpha1.DebugSession) (name string, refusal *admission.Response) {
	classes := &v1alpha1.DebugClassList{}
	for _, reader := range []client.Reader{s.Cached, s.Live} { // the class may have been applied just before the session
		if err := reader.List(ctx, classes); err != nil {
			response := undecided("spec.className: not set, and the default class cannot be determined: %v", err)
			return "", &response
		}
		if class := newestDefault(classes.Items); class != nil {
			return class.Name, nil
		}
	}
	session.Namespace = req.Namespace
	response := invalid("spec.className: not set, and no DebugClass is marked as the default: %s; "+
		"an administrator can mark one: kubectl annotate debugclass NAME %s=true", s.alternatives(ctx, &req.UserInfo, session), v1alpha1.AnnotationDefaultClass)
	return "", &response
}

func newestDefault(classes []v1alpha1.DebugClass) *v1alpha1.DebugClass {
	var newest *v1alpha1.DebugClass
	for i := range classes {
		class := &classes[i]
		if isDefault(class) && (newest == nil || younger(class, newest)) {
			newest = class
		}
	}
	return newest
}

func isDefault(class *v1alpha1.DebugClass) bool {
	return class.DeletionTimestamp == nil && metav1.HasAnnotation(class.ObjectMeta, v1alpha1.AnnotationDefaultClass) &&
		class.Annotations[v1alpha1.AnnotationDefaultClass] == "true"
}

// younger goes by the name among classes of the same second.
func younger(a, b *v1alpha1.DebugClass) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return b.CreationTimestamp.Before(&a.CreationTimestamp)
}
