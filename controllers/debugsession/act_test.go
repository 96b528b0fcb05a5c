package debugsession

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// What has taken the place of the one that was meant is another's.
func TestWhatIsDeletedIsTheOneThatWasMeant(t *testing.T) {
	const uid types.UID = "5e551040-0000-4000-8000-00000000000d"
	pod := types.NamespacedName{Namespace: "shop", Name: "web"}
	for name, action := range map[string]plan.Action{
		"a copy":           plan.DeletePod{Pod: pod, UID: uid},
		"an original":      plan.ReplaceOriginal{Pod: pod, UID: uid},
		"a network policy": plan.DeleteNetworkPolicy{Name: "isolated", UID: uid},
		"a record":         plan.DeleteSession{UID: uid},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := interceptor.NewClient(nil, interceptor.Funcs{
				Delete: func(_ context.Context, _ client.WithWatch, object client.Object, options ...client.DeleteOption) error {
					asked++
					how := client.DeleteOptions{}
					how.ApplyOptions(options)
					if how.Preconditions == nil || how.Preconditions.UID == nil || *how.Preconditions.UID != uid {
						t.Errorf("%T is deleted whatever its UID: %+v", object, how.Preconditions)
					}
					return nil
				},
			})
			r := &Reconciler{Client: server}
			if result := r.perform(t.Context(), fixture.Session(), action); result.Err != nil || asked != 1 {
				t.Errorf("asked %d times: %v", asked, result.Err)
			}
		})
	}
}

// Somebody writes the session all the time: what the operator has read is never what there is.
func TestASessionThatIsWrittenAllTheTimeIsLetGo(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.DebugSession)
		goes   bool
	}{
		"annotated":             {func(s *v1alpha1.DebugSession) { s.Annotations = map[string]string{"n": "1"} }, true},
		"held by somebody else": {func(s *v1alpha1.DebugSession) { s.Finalizers = append(s.Finalizers, "example.com/hold") }, true},
		"it has not ended":      {func(s *v1alpha1.DebugSession) { s.Status.Phase = v1alpha1.PhaseEnding }, false},
	} {
		t.Run(name, func(t *testing.T) {
			seen := fixture.Session()
			seen.Status.Phase = v1alpha1.PhaseEnded
			seen.Finalizers, seen.DeletionTimestamp = []string{"example.com/mine", v1alpha1.Finalizer}, &metav1.Time{Time: fixture.Created}
			now := seen.DeepCopy()
			seen.ResourceVersion = "1" // of long ago
			tc.change(now)
			server := served(t, now)
			r := &Reconciler{Client: server}
			if result := r.perform(t.Context(), seen, plan.RemoveFinalizer{}); (result.Err == nil) != tc.goes {
				t.Errorf("came to %v", result.Err)
			}
			after := &v1alpha1.DebugSession{}
			if err := server.Get(t.Context(), client.ObjectKeyFromObject(now), after); err != nil {
				t.Fatal(err)
			}
			if want := len(now.Finalizers) - 1; tc.goes && len(after.Finalizers) != want || !tc.goes && len(after.Finalizers) != want+1 {
				t.Errorf("finalizers are %v", after.Finalizers)
			}
		})
	}
}

// A tool that has taken a record over applies it again when it is gone: the session would start anew.
func TestARecordThatHasChangedIsNotDeleted(t *testing.T) {
	stored := fixture.Session()
	server := served(t, stored)
	seen := &v1alpha1.DebugSession{}
	if err := server.Get(context.Background(), client.ObjectKeyFromObject(stored), seen); err != nil {
		t.Fatal(err)
	}
	taken := seen.DeepCopy()
	taken.Labels = map[string]string{"argocd.argoproj.io/instance": "shop"}
	if err := server.Update(context.Background(), taken); err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{Client: server}
	remove := func(session *v1alpha1.DebugSession) error {
		return r.deleteSession(context.Background(), session, plan.DeleteSession{UID: session.UID})
	}
	if err := remove(seen); err != nil {
		t.Errorf("fails with %v, although the watch is about to tell of the change", err)
	}
	if err := server.Get(context.Background(), client.ObjectKeyFromObject(stored), &v1alpha1.DebugSession{}); err != nil {
		t.Fatalf("deleted: %v", err)
	}
	if err := remove(taken); err != nil {
		t.Fatal(err)
	}
	if err := server.Get(context.Background(), client.ObjectKeyFromObject(stored), &v1alpha1.DebugSession{}); err == nil {
		t.Error("what has not changed is not deleted")
	}
}
