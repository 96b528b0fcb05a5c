package accessreview

import (
	"context"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// reviewer remembers the review that it is asked.
type reviewer struct {
	client.Writer
	review *authorizationv1.SubjectAccessReview
}

func (r *reviewer) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	r.review = object.(*authorizationv1.SubjectAccessReview)
	r.review.Status.Allowed = true
	return nil
}

func TestReviewSendsAllThatIsKnownOfTheUser(t *testing.T) {
	alice := &v1alpha1.Identity{
		Username: "alice", UID: "1", Groups: []string{"dev"}, Extra: map[string]v1alpha1.ExtraValue{"scopes": {"debug", "read"}},
	}
	server := &reviewer{}
	status, err := Review(t.Context(), server, alice, OnClass(v1alpha1.VerbUse, "standard", "shop"))
	if err != nil || !status.Allowed {
		t.Errorf("answered %+v, %v", status, err)
	}
	spec := &server.review.Spec
	if spec.User != "alice" || spec.UID != "1" || len(spec.Groups) != 1 || len(spec.Extra["scopes"]) != 2 {
		t.Errorf("asked of %+v", spec)
	}
	what := spec.ResourceAttributes
	if what.Verb != v1alpha1.VerbUse || what.Name != "standard" || what.Namespace != "shop" || what.Resource != "debugclasses" {
		t.Errorf("asked for %+v", what)
	}
}
