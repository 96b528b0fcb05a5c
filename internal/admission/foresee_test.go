package admission

import (
	"context"
	"errors"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
)

// Whoever reaches the webhooks can have sessions foreseen, in anybody's name. That must not keep the operator and the API server busy.
func TestRehearsalsAreLimited(t *testing.T) {
	rehearsed := 0
	s := &Server{
		RehearsalLimit: flowcontrol.NewTokenBucketPassiveRateLimiter(0.001, 3),
		Rehearse: func(context.Context, *v1alpha1.DebugSession, bool) (*v1alpha1.DebugSessionStatus, error) {
			rehearsed++
			return nil, errors.New("not known")
		},
	}
	for range 5 {
		if said := s.foresee(t.Context(), &admission.Request{}, &v1alpha1.DebugSession{}); len(said) > 0 {
			t.Errorf("said %q", said)
		}
	}
	if rehearsed != 3 {
		t.Errorf("rehearsed %d times, want 3", rehearsed)
	}
	dryRun := &admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{DryRun: new(true)}}
	want := []string{
		"dry run: the session may be created; its outcome cannot be predicted now, because too many sessions are being created: " +
			"try again in a minute",
	}
	if said := s.foresee(t.Context(), dryRun, &v1alpha1.DebugSession{}); rehearsed != 3 || !slices.Equal(said, want) {
		t.Errorf("rehearsed %d times, said %q", rehearsed, said)
	}
}
