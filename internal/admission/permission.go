package admission

import (
	"context"
	"fmt"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/kube/accessreview"
)

// permit asks whether the user holds the verb on the class in the namespace, so that a RoleBinding can give it for one
// namespace alone. It returns nil if so, else the refusal.
func (s *Server) permit(ctx context.Context, user *authenticationv1.UserInfo, verb, class, namespace string) *admission.Response {
	return s.review(ctx, user, accessreview.OnClass(verb, class, namespace), fmt.Sprintf("%s class %q in namespace %q", doing(verb), class, namespace),
		fmt.Sprintf("%s; a namespace or cluster administrator can bind a role with verb %q on debugclasses.%s to you",
			canI(verb, class, namespace), verb, v1alpha1.GroupVersion.Group))
}

// permitTarget asks whether the user may debug a pod in its own namespace, for a session that is in another. A pod that they may not debug they
// learn nothing of.
func (s *Server) permitTarget(ctx context.Context, user *authenticationv1.UserInfo, session *v1alpha1.DebugSession) *admission.Response {
	target := &session.Spec.Target
	if !target.IsPodNetwork() {
		return nil
	}
	return s.review(ctx, user, accessreview.OnTarget(session), fmt.Sprintf("debug pod %q in namespace %q", target.PodName, target.PodNamespace),
		fmt.Sprintf("kubectl auth can-i patch pods/%s --subresource=ephemeralcontainers -n %s; "+
			"an administrator of that namespace can bind a role with verb patch on pods/ephemeralcontainers to you", target.PodName, target.PodNamespace))
}

// permitMember asks whether it is the operator that makes a member of a session. What it makes is held against what it has recorded before.
func (s *Server) permitMember(ctx context.Context, user *authenticationv1.UserInfo) *admission.Response {
	return s.review(ctx, user, accessreview.OnStatuses(), "make members of a session, as the operator alone does",
		"kubectl auth can-i patch debugsessions.debugsession.dev --subresource=status -A; remove spec.memberOf; to debug many pods, apply a session with target.all")
}

// review asks whether the user may do something, which is said in doing. It returns nil if so, else the refusal, which ends with the check and the
// remedy. An answer that cannot be had is none.
func (s *Server) review(ctx context.Context, user *authenticationv1.UserInfo, what *authorizationv1.ResourceAttributes, doing, check string) *admission.Response {
	answer, err := accessreview.Review(ctx, s.Reviews, identityOf(user), what)
	var response admission.Response
	switch {
	case err != nil:
		response = undecided("cannot check whether %q may %s: %v", user.Username, doing, err)
	case answer.Allowed:
		return nil
	case answer.EvaluationError != "":
		response = undecided("cannot determine whether %q may %s: %s", user.Username, doing, answer.EvaluationError)
	default:
		response = forbidden("%q may not %s%s; check with: %s", user.Username, doing, because(answer.Reason), check)
	}
	return &response
}

// doing is a verb as a sentence about a class has it.
func doing(verb string) string {
	if verb == v1alpha1.VerbEmergency {
		return "declare emergencies under"
	}
	return verb
}

// permitAny asks whether the user holds the verb on any class in the namespace: first whether on all, as the administrators of
// a cluster do, then on one after the other.
func (s *Server) permitAny(ctx context.Context, user *authenticationv1.UserInfo, verb, namespace string) *admission.Response {
	classes := &v1alpha1.DebugClassList{}
	if err := s.Cached.List(ctx, classes); err != nil {
		response := undecided("cannot list DebugClasses to check whether %q may %s any of them: %v", user.Username, verb, err)
		return &response
	}
	names := make([]string, 1, len(classes.Items)+1) // the empty name is all of them
	for i := range classes.Items {
		names = append(names, classes.Items[i].Name)
	}
	var unknown *admission.Response
	for _, name := range names {
		refusal := s.permit(ctx, user, verb, name, namespace)
		if refusal == nil {
			return nil
		}
		if refusal.Result.Code != http.StatusForbidden {
			unknown = refusal
		}
	}
	if unknown != nil {
		return unknown
	}
	response := forbidden("%q may not %s any class in namespace %q, so this would have no effect and could only block another user's; check with: %s; "+
		"a namespace or cluster administrator can bind a role with verb %q on debugclasses.%s to you",
		user.Username, verb, namespace, canI(verb, "NAME", namespace), verb, v1alpha1.GroupVersion.Group)
	return &response
}

// canI is the command by which users can ask for themselves.
func canI(verb, class, namespace string) string {
	return fmt.Sprintf("kubectl auth can-i %s debugclasses.%s/%s -n %s", verb, v1alpha1.GroupVersion.Group, class, namespace)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}
