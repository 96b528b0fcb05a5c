package admission

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/policy"
)

// validateMember sees a member of a session, which nobody but the operator makes.
func (s *Server) validateMember(ctx context.Context, user *authenticationv1.UserInfo) admission.Response {
	if refusal := s.permitMember(ctx, user); refusal != nil {
		return *refusal
	}
	return admission.Allowed("")
}

// validateSession sees the session as it will be stored.
func (s *Server) validateSession(ctx context.Context, req admission.Request) admission.Response {
	session, old, err := decode[v1alpha1.DebugSession](&req)
	if err != nil {
		return invalid("cannot decode the session: %v", err)
	}
	session.Namespace = req.Namespace
	if refusal := s.validateEmergency(ctx, &req, &session, &old); refusal != nil {
		return *refusal
	}
	if req.Operation == admissionv1.Update {
		return validateSessionUpdate(&session, &old)
	}
	if session.Spec.MemberOf != nil {
		return s.validateMember(ctx, &req.UserInfo)
	}
	if session.Spec.Requester == nil || session.Spec.Requester.Username != req.UserInfo.Username || !s.Sealer.VerifySession(&session) {
		return forbidden("another admission webhook or policy in this cluster modified the session after its requester was recorded; " +
			"a cluster administrator must exempt debugsessions.debugsession.dev from it")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	foreseen := s.foresee(ctx, &req, &session)
	if refusal := s.permit(ctx, &req.UserInfo, v1alpha1.VerbUse, session.Spec.ClassName, req.Namespace); refusal != nil {
		if refusal.Result.Code == http.StatusForbidden {
			return s.refuseUse(ctx, &req, &session, refusal)
		}
		return *refusal
	}
	if refusal := s.permitTarget(ctx, &req.UserInfo, &session); refusal != nil {
		return *refusal
	}
	if refusal := s.permitEmergency(ctx, &req.UserInfo, &session); refusal != nil {
		return *refusal
	}
	response := s.checkClass(ctx, &req, &session)
	if !response.Allowed {
		return response
	}
	return response.WithWarnings(foreseen()...)
}

// checkClass says early what the operator would say later. A session whose class does not exist is let in: it waits, and
// says so, or else a class and a session could not be applied together.
func (s *Server) checkClass(ctx context.Context, req *admission.Request, session *v1alpha1.DebugSession) admission.Response {
	class := &v1alpha1.DebugClass{}
	err := s.Cached.Get(ctx, client.ObjectKey{Name: session.Spec.ClassName}, class)
	if apierrors.IsNotFound(err) {
		return admission.Allowed("").WithWarnings(
			"DebugClass " + session.Spec.ClassName + " does not exist yet: the session waits for it" + s.similarClass(ctx, session.Spec.ClassName))
	}
	if err != nil {
		return undecided("cannot read DebugClass %q: %v", session.Spec.ClassName, err)
	}
	namespace, err := s.namespaceLabels(ctx, session.Namespace)
	if err != nil {
		return undecided("cannot read the labels of namespace %q: %v", session.Namespace, err)
	}
	warnings := append(plan.Warnings(&session.Spec), s.storeWarning(class, session)...)
	if why := policy.Check(class, session, namespace, session.Namespace == s.Namespace); why != "" {
		return forbidden("%s; %s", why, s.alternatives(ctx, &req.UserInfo, session))
	}
	if refusal := s.checkPodNamespace(ctx, class, session); refusal != nil {
		return *refusal
	}
	if session.Namespace == metav1.NamespaceSystem && !policy.NamesNamespace(class, session.Namespace) {
		warnings = append(warnings, fmt.Sprintf("class %q does not name namespace %s, and reaches it: who debugs here may reach the whole cluster; "+
			"a class for it should name it by its namespaceSelector, and the others leave it out", class.Name, session.Namespace))
	}
	return admission.Allowed("").WithWarnings(warnings...)
}

// storeWarning tells of a store that the session waits for. There may be one by then.
func (s *Server) storeWarning(class *v1alpha1.DebugClass, session *v1alpha1.DebugSession) []string {
	if s.AuditStore {
		return nil
	}
	why := plan.WithoutStore(&session.Spec, class.Spec.Audit == v1alpha1.AuditRequired)
	if why == "" {
		return nil
	}
	return []string{fmt.Sprintf("%s; as things stand, this session waits for %s, and then ends as %s",
		why, v1alpha1.FormatDuration(plan.StartTimeout), v1alpha1.OutcomeTimedOut)}
}

// checkPodNamespace holds the namespace of a target that is not in the session's against the class. One that does not exist yet is waited for.
func (s *Server) checkPodNamespace(ctx context.Context, class *v1alpha1.DebugClass, session *v1alpha1.DebugSession) *admission.Response {
	name := session.Spec.Target.PodNamespace
	if name == "" {
		return nil
	}
	namespace, err := s.namespaceLabels(ctx, name)
	var response admission.Response
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		response = undecided("cannot read the labels of namespace %q: %v", name, err)
	default:
		why := policy.CheckPodNamespace(class, name, namespace, s.Namespace)
		if why == "" {
			return nil
		}
		response = forbidden("%s", why)
	}
	return &response
}

// namespaceLabels looks again where it cannot be late: a namespace and a session may be applied together.
func (s *Server) namespaceLabels(ctx context.Context, name string) (labels.Set, error) {
	namespace := namespaceMetadata()
	err := s.Cached.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		err = s.Live.Get(ctx, client.ObjectKey{Name: name}, namespace)
	}
	return namespace.Labels, err
}

// validateSessionUpdate guards what the CRD's own rules cannot: they see neither the status nor the metadata. The finalizer
// stays for everybody: the operator itself takes it away only from a session that has ended.
func validateSessionUpdate(session, old *v1alpha1.DebugSession) admission.Response {
	if class, ttl := old.Status.Class, session.Spec.TTL; class != nil && ttl != nil && ttl.Duration > class.MaxTTL.Duration &&
		(old.Spec.TTL == nil || ttl.Duration > old.Spec.TTL.Duration) {
		return forbidden("spec.ttl: %s exceeds the maximum of %s in class %q; set a shorter one, or apply a new session when this one has ended",
			v1alpha1.FormatDuration(ttl.Duration), v1alpha1.FormatDuration(class.MaxTTL.Duration), class.Name)
	}
	removed := slices.Contains(old.Finalizers, v1alpha1.Finalizer) && !slices.Contains(session.Finalizers, v1alpha1.Finalizer)
	if removed && old.Status.Phase != v1alpha1.PhaseEnded {
		return forbidden("metadata.finalizers: %s cannot be removed before the session has ended, or a debugger could be left running; "+
			"the operator removes it then. To end the session now, set spec.end: true or delete it. "+
			"If the operator is permanently gone, a cluster administrator can delete its webhook configurations (named debugsession) first", v1alpha1.Finalizer)
	}
	return admission.Allowed("")
}
