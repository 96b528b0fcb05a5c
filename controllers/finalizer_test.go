package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

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
			r := &DebugSessionReconciler{Client: server}
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
