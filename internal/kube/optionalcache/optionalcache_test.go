package optionalcache

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"debugsession.dev/operator/api/v1alpha1"
)

// A kind that the API server does not serve is unknown. Were it taken for absent, sessions would lose their approvals by it.
func TestWhatCannotBeWatchedIsNotAbsent(t *testing.T) {
	unfilled := apierrors.NewTimeoutError("failed waiting for *v1alpha1.DebugApproval Informer to sync", 0)
	unserved := &apierrors.StatusError{
		ErrStatus: apierrors.NewGenericServerResponse(404, "list", schema.GroupResource{}, "", "", 0, true).ErrStatus,
	}
	c := &caches{}
	for _, object := range []any{&v1alpha1.DebugApproval{}, &v1alpha1.DebugApprovalList{}} {
		if err := c.because(object, unfilled); err == nil || !strings.Contains(err.Error(), "only just started") {
			t.Errorf("%T: %v", object, err)
		}
	}
	c.failed.Store("*v1alpha1.DebugApproval", error(unserved))
	for _, object := range []any{&v1alpha1.DebugApproval{}, &v1alpha1.DebugApprovalList{}} {
		err := c.because(object, unfilled)
		if err == nil || !strings.Contains(err.Error(), "could not find the requested resource") || apierrors.IsNotFound(err) {
			t.Errorf("%T: %v", object, err)
		}
	}
	if err := c.because(&v1alpha1.DebugClassList{}, unfilled); strings.Contains(err.Error(), "could not find") {
		t.Errorf("another kind's reason: %v", err)
	}
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "debugclasses"}, "standard")
	if err := c.because(&v1alpha1.DebugClass{}, missing); !errors.Is(err, missing) {
		t.Errorf("what a filled cache says: %v", err)
	}
	if err := c.because(&v1alpha1.DebugClass{}, nil); err != nil {
		t.Error(err)
	}
}
