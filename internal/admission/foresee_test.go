package admission

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/seal"
)

// Whoever reaches the webhooks can have sessions foreseen, in anybody's name. That must not keep the operator and the API server busy.
func TestRehearsalsAreLimited(t *testing.T) {
	var rehearsed atomic.Int32
	s := &Server{
		Cached:         calm{},
		RehearsalLimit: flowcontrol.NewTokenBucketPassiveRateLimiter(0.001, 3),
		AheadLimit:     flowcontrol.NewTokenBucketPassiveRateLimiter(0.001, 2),
		Rehearse: func(context.Context, *v1alpha1.DebugSession, bool) (*v1alpha1.DebugSessionStatus, error) {
			rehearsed.Add(1)
			return nil, errors.New("not known")
		},
	}
	for range 5 {
		if said := s.foresee(t.Context(), &admission.Request{}, &v1alpha1.DebugSession{})(); len(said) > 0 {
			t.Errorf("said %q", said)
		}
	}
	if rehearsed.Load() != 3 {
		t.Errorf("rehearsed %d times, want 3", rehearsed.Load())
	}
	dryRun := &admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{DryRun: new(true)}}
	want := []string{
		"dry run: the session may be created; its outcome cannot be predicted now, because too many sessions are being created: " +
			"try again in a minute",
	}
	if said := s.foresee(t.Context(), dryRun, &v1alpha1.DebugSession{})(); rehearsed.Load() != 3 || !slices.Equal(said, want) {
		t.Errorf("rehearsed %d times, said %q", rehearsed.Load(), said)
	}
}

// What is asked beside must not end the operator with whatever somebody applies.
func TestARehearsalThatPanicsEndsTheRequestAlone(t *testing.T) {
	s := &Server{Cached: calm{}, Rehearse: func(context.Context, *v1alpha1.DebugSession, bool) (*v1alpha1.DebugSessionStatus, error) {
		panic("lost")
	}}
	foreseen := s.foresee(t.Context(), &admission.Request{}, &v1alpha1.DebugSession{})
	defer func() {
		if panicked := recover(); panicked != "lost" {
			t.Errorf("got %v, want the panic", panicked)
		}
	}()
	t.Errorf("said %q", foreseen())
}

// calm is a cluster with one class.
type calm struct{ client.Reader }

func (calm) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if class, ok := object.(*v1alpha1.DebugClass); ok {
		fixture.Class().DeepCopyInto(class)
	}
	return nil
}
func (calm) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// reviewing is a reviewer that does something first.
type reviewing struct {
	reviewer
	first func()
}

func (r reviewing) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	r.first()
	return r.reviewer.Create(ctx, object, options...)
}

// Neither waits for the other: each takes about as long as the rest of what admission does.
func TestTheTargetIsLookedAtWhilePermissionIsAsked(t *testing.T) {
	asked, looked := make(chan struct{}), make(chan struct{})
	s := &Server{
		Sealer: seal.New([]byte("key")), Cached: calm{}, Live: calm{},
		Reviews: reviewing{reviewer{status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}, func() {
			close(asked)
			<-looked
		}},
		Rehearse: func(context.Context, *v1alpha1.DebugSession, bool) (*v1alpha1.DebugSessionStatus, error) {
			<-asked
			close(looked)
			return &v1alpha1.DebugSessionStatus{Phase: v1alpha1.PhaseEnded, Outcome: v1alpha1.OutcomeRejected}, nil
		},
	}
	response := s.validateSession(t.Context(), request(t, stamped(s)))
	if want := "as things stand, this session will end as Rejected: "; !response.Allowed || !slices.Contains(response.Warnings, want) {
		t.Errorf("answered %+v, want it allowed, and warned that %q", response.AdmissionResponse, want)
	}
}

// Who may not have the session learns nothing of its target, and does not wait for that.
func TestWhoIsRefusedIsToldNothingOfTheTarget(t *testing.T) {
	given := make(chan struct{})
	s := &Server{
		Sealer: seal.New([]byte("key")), Cached: calm{}, Live: calm{}, Reviews: reviewer{},
		Rehearse: func(ctx context.Context, _ *v1alpha1.DebugSession, _ bool) (*v1alpha1.DebugSessionStatus, error) {
			<-ctx.Done()
			close(given)
			return &v1alpha1.DebugSessionStatus{Phase: v1alpha1.PhaseEnded}, nil
		},
	}
	began := time.Now()
	response := s.validateSession(t.Context(), request(t, stamped(s)))
	if response.Allowed || len(response.Warnings) > 0 || time.Since(began) >= foresight {
		t.Errorf("answered %+v after %s, want a refusal at once and nothing else", response.AdmissionResponse, time.Since(began))
	}
	<-given
}

// A dry run has the API server try what is made: not before it is known that its user may have it made.
func TestADryRunIsRehearsedForWhoMayUseTheClass(t *testing.T) {
	s := &Server{
		Sealer: seal.New([]byte("key")), Cached: calm{}, Live: calm{}, Reviews: reviewer{},
		Rehearse: func(context.Context, *v1alpha1.DebugSession, bool) (*v1alpha1.DebugSessionStatus, error) {
			t.Error("rehearsed for somebody who may not use the class")
			return nil, nil
		},
	}
	refused := request(t, stamped(s))
	refused.DryRun = new(true)
	if response := s.validateSession(t.Context(), refused); response.Allowed || len(response.Warnings) > 0 {
		t.Errorf("answered %+v, want a refusal and nothing else", response.AdmissionResponse)
	}
}

// Who may have no session does not keep others from being told of theirs.
func TestWhoIsRefusedUsesUpNothingOfOthers(t *testing.T) {
	for name, dryRun := range map[string]*bool{"created": nil, "dry run": new(true)} {
		s := &Server{
			Sealer: seal.New([]byte("key")), Cached: calm{}, Live: calm{}, Reviews: reviewer{},
			RehearsalLimit: flowcontrol.NewTokenBucketPassiveRateLimiter(0.001, 3),
			AheadLimit:     flowcontrol.NewTokenBucketPassiveRateLimiter(0.001, 3),
			Rehearse: func(context.Context, *v1alpha1.DebugSession, bool) (*v1alpha1.DebugSessionStatus, error) {
				return &v1alpha1.DebugSessionStatus{Phase: v1alpha1.PhaseEnded, Outcome: v1alpha1.OutcomeRejected}, nil
			},
		}
		for range 5 {
			refused := request(t, stamped(s))
			refused.DryRun = dryRun
			if response := s.validateSession(t.Context(), refused); response.Allowed {
				t.Fatalf("answered %+v, want a refusal", response.AdmissionResponse)
			}
		}
		s.Reviews = reviewer{status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}
		for _, dry := range []bool{false, true} {
			permitted := request(t, stamped(s))
			permitted.DryRun = new(dry)
			response := s.validateSession(t.Context(), permitted)
			if !slices.ContainsFunc(response.Warnings, func(w string) bool { return strings.Contains(w, "end as Rejected") }) {
				t.Errorf("%s: a dry run %v is told %q", name, dry, response.Warnings)
			}
		}
	}
}
