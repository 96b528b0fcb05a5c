package sessions

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// Permissions asks the API server what the caller may do, each thing once.
type Permissions struct {
	client *Client
	known  map[authorizationv1.ResourceAttributes]bool
}

// Permissions of whoever runs this, or of whom it was told to be.
func (c *Client) Permissions() *Permissions {
	return &Permissions{c, map[authorizationv1.ResourceAttributes]bool{}}
}

// OnClass reports whether the caller has a verb on a class, in a namespace.
func (p *Permissions) OnClass(ctx context.Context, verb, class, namespace string) (bool, error) {
	return p.ask(ctx, authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: "debugclasses", Name: class,
	})
}

// Create reports whether the caller may create one of the group's kinds in a namespace.
func (p *Permissions) Create(ctx context.Context, resource, namespace string) (bool, error) {
	return p.ask(ctx, authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: "create", Group: v1alpha1.GroupVersion.Group, Resource: resource,
	})
}

func (p *Permissions) ask(ctx context.Context, what authorizationv1.ResourceAttributes) (bool, error) {
	if allowed, known := p.known[what]; known {
		return allowed, nil
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what}}
	review, err := p.client.Kubernetes.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("cannot check what you may do: %w", err)
	}
	p.known[what] = review.Status.Allowed
	return review.Status.Allowed, nil
}
