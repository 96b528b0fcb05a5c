// Package accessreview asks the API server what somebody may do.
package accessreview

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// Review asks whether the user may do something. An authorizer may decide by all that is known of the user, so all of it is sent.
func Review(ctx context.Context, reviews client.Writer, user *v1alpha1.Identity, what *authorizationv1.ResourceAttributes) (*authorizationv1.SubjectAccessReviewStatus, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra(user.Extra), ResourceAttributes: what,
	}}
	err := reviews.Create(ctx, review)
	return &review.Status, err
}

// OnClass is the use of a verb on a class in a namespace: a RoleBinding there is enough to give it.
func OnClass(verb, class, namespace string) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resource: "debugclasses", Name: class, Namespace: namespace, Verb: verb,
	}
}

// OnTarget is what it takes to debug the session's pod without the operator: to add an ephemeral container to it.
func OnTarget(session *v1alpha1.DebugSession) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{
		Version: "v1", Resource: "pods", Subresource: "ephemeralcontainers", Verb: "patch",
		Name: session.Spec.Target.PodName, Namespace: session.TargetNamespace(),
	}
}

// OnStatuses is what the operator alone may do: to write the status of every session in the cluster. A Role does not suffice for that.
func OnStatuses() *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resource: "debugsessions", Subresource: "status", Verb: "patch",
	}
}

func extra(of map[string]v1alpha1.ExtraValue) map[string]authorizationv1.ExtraValue {
	if len(of) == 0 {
		return nil
	}
	result := make(map[string]authorizationv1.ExtraValue, len(of))
	for key, values := range of {
		result[key] = authorizationv1.ExtraValue(values)
	}
	return result
}
