package condensedcache

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// served is a server, or a cache, that has these objects.
func served(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := k8sruntime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

// caching is a client that has a condensed copy in its cache. No server would take one.
type caching struct {
	client.Client
	copied *v1alpha1.DebugSession
}

func (c caching) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	c.copied.DeepCopyInto(object.(*v1alpha1.DebugSession))
	return nil
}

func TestGetReturnsTheSessionForItsCopy(t *testing.T) {
	session := rests()
	session.ResourceVersion, session.ManagedFields = "", nil
	c := Wrap(caching{copied: Condense(session)}, served(t, session))
	got := &v1alpha1.DebugSession{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(session), got); err != nil {
		t.Fatal(err)
	}
	if plan.Condensed(got) || got.Spec.Reason != session.Spec.Reason || got.Status.Debugger == nil || got.Labels["team"] == "" {
		t.Errorf("got %+v", got)
	}
}

func TestCopiesAreNotWritten(t *testing.T) {
	session := rests()
	session.ResourceVersion, session.ManagedFields = "", nil
	c := Wrap(served(t, session), served(t, session))
	patch := client.RawPatch(types.MergePatchType, []byte(`{}`))
	for what, write := range map[string]func(*v1alpha1.DebugSession) error{
		"create":        func(s *v1alpha1.DebugSession) error { return c.Create(t.Context(), s) },
		"update":        func(s *v1alpha1.DebugSession) error { return c.Update(t.Context(), s) },
		"patch":         func(s *v1alpha1.DebugSession) error { return c.Patch(t.Context(), s, patch) },
		"status update": func(s *v1alpha1.DebugSession) error { return c.Status().Update(t.Context(), s) },
		"status patch":  func(s *v1alpha1.DebugSession) error { return c.Status().Patch(t.Context(), s, patch) },
	} {
		if err := write(Condense(session)); err == nil || !strings.Contains(err.Error(), "condensed copy") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := c.Patch(t.Context(), &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: session.Namespace, Name: session.Name}}, patch); err != nil {
		t.Errorf("a session is not written: %v", err)
	}
	if err := c.Delete(t.Context(), Condense(session), client.Preconditions{UID: &session.UID}); err != nil {
		t.Errorf("a copy names what is deleted: %v", err)
	}
}
