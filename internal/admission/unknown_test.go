package admission

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/seal"
)

var errDown = errors.New("etcd is down")

// broken is a cluster that answers no read.
type broken struct{ client.Reader }

func (broken) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errDown
}
func (broken) List(context.Context, client.ObjectList, ...client.ListOption) error { return errDown }

// reviewer answers every SubjectAccessReview alike.
type reviewer struct {
	client.Writer
	status authorizationv1.SubjectAccessReviewStatus
	err    error
}

func (r reviewer) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	object.(*authorizationv1.SubjectAccessReview).Status = r.status
	return r.err
}

func request(t *testing.T, object any) admission.Request {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Namespace: fixture.Namespace, Object: runtime.RawExtension{Raw: raw},
		UserInfo: authenticationv1.UserInfo{Username: "alice"},
	}}
}

func stamped(server *Server) *v1alpha1.DebugSession {
	session := fixture.Session()
	session.Spec.ClassName = "standard"
	session.Spec.Requester = &v1alpha1.Identity{Username: "alice"}
	session.Spec.Requester.Seal = server.Sealer.Session(session.Namespace, &session.Spec)
	return session
}

func expectUndecided(t *testing.T, response admission.Response) {
	t.Helper()
	if response.Allowed || response.Result.Code != http.StatusServiceUnavailable ||
		!strings.Contains(response.Result.Message, "the problem is in the cluster, not in your request") {
		t.Errorf("answered %+v, want a refusal that blames the cluster", response.AdmissionResponse)
	}
}

// What cannot be found out is never permission, and never the user's fault.
func TestUnknownIsRefused(t *testing.T) {
	yes := reviewer{status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}
	server := &Server{Cached: broken{}, Live: broken{}, Reviews: yes, Sealer: seal.New([]byte("key"))}
	approval := &v1alpha1.DebugApproval{Spec: v1alpha1.DebugApprovalSpec{SessionName: "hang", Decision: v1alpha1.DecisionApprove}}
	bound := approval.DeepCopy()
	bound.Spec.SessionUID = fixture.SessionUID
	bound.Spec.Approver = &v1alpha1.Identity{Username: "alice"}
	bound.Spec.Approver.Seal = server.Sealer.Approval(fixture.Namespace, &bound.Spec)

	t.Run("classes, to find the default", func(t *testing.T) {
		session := fixture.Session()
		session.Spec.ClassName, session.Spec.Requester = "", nil
		expectUndecided(t, server.stampSession(t.Context(), request(t, session)))
	})
	t.Run("the class", func(t *testing.T) {
		expectUndecided(t, server.validateSession(t.Context(), request(t, stamped(server))))
	})
	t.Run("the session to approve", func(t *testing.T) {
		expectUndecided(t, server.stampApproval(t.Context(), request(t, approval)))
		expectUndecided(t, server.validateApproval(t.Context(), request(t, bound)))
	})
	t.Run("whether somebody may approve", func(t *testing.T) {
		asking := fixture.Session()
		asking.Status.Request, asking.Status.Class = &v1alpha1.RequestStatus{Hash: "sha256:1"}, &v1alpha1.ClassStatus{}
		deciding := *server
		deciding.Reviews = reviewer{err: errDown}
		expectUndecided(t, *deciding.bindPermitted(t.Context(), &patch{}, new(request(t, approval)), approval.DeepCopy(), asking))
	})
	for name, reviews := range map[string]reviewer{
		"the review fails":           {err: errDown, status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}},
		"the review decides nothing": {status: authorizationv1.SubjectAccessReviewStatus{EvaluationError: "webhook authorizer: timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			deciding := *server
			deciding.Reviews = reviews
			expectUndecided(t, deciding.validateSession(t.Context(), request(t, stamped(server))))
		})
	}
}

// Another webhook that runs after ours would leave a session that the operator does not trust.
func TestChangedAfterTheStamp(t *testing.T) {
	server := &Server{Sealer: seal.New([]byte("key"))}
	for name, change := range map[string]func(*v1alpha1.DebugSession){
		"spec":      func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Image = "mirror.example/busybox:1.36" },
		"requester": func(s *v1alpha1.DebugSession) { s.Spec.Requester = nil },
	} {
		t.Run(name, func(t *testing.T) {
			session := stamped(server)
			change(session)
			response := server.validateSession(t.Context(), request(t, session))
			if response.Allowed ||
				!strings.Contains(response.Result.Message, "another admission webhook or policy in this cluster modified the session") {
				t.Errorf("answered %+v", response.AdmissionResponse)
			}
		})
	}
}
