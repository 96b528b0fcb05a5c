package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	webhookconfig "debugsession.dev/operator/config/webhook"
	"debugsession.dev/operator/internal/certs"
	"debugsession.dev/operator/internal/seal"
)

// Server answers the API server.
type Server struct {
	// Cached reads DebugClasses and the metadata of namespaces. See Watch.
	Cached client.Reader
	// Live reads from the API server: what must not be late.
	Live client.Reader
	// Reviews creates SubjectAccessReviews.
	Reviews client.Writer
	// Sealer seals what was stamped.
	Sealer *seal.Sealer
	// Namespace is the operator's own.
	Namespace string
	// AuditStore is whether the operator has a store for what sessions leave. Without one those that need it wait.
	AuditStore bool
	// Rehearse tells what would become of a session that is about to be created. Unless it is thorough, it asks no more than the
	// operator will ask again when the session is there, and fails if that does not tell. It is called as often as RehearsalLimit lets it.
	Rehearse func(ctx context.Context, session *v1alpha1.DebugSession, thorough bool) (*v1alpha1.DebugSessionStatus, error)
	// RehearsalLimit bounds how much whoever calls can have the operator read; left out, nothing does. See NewRehearsalLimit.
	RehearsalLimit flowcontrol.PassiveRateLimiter
	// AheadLimit bounds the same for those who may turn out to have no right to the session: what they use up is nobody else's. Beyond it
	// the target is looked at once the right is known. Left out, nothing does.
	AheadLimit flowcontrol.PassiveRateLimiter
	// Clock says what time it is.
	Clock clock.PassiveClock
	// NoteDeletion writes into a session's status who deletes it. It is called as often as DeletionLimit lets it; left out, nothing
	// limits it.
	NoteDeletion  func(ctx context.Context, session *v1alpha1.DebugSession, deletion v1alpha1.DeletionStatus) error
	DeletionLimit flowcontrol.PassiveRateLimiter
	// Refused is told of sessions and approvals that were not let in; left out, nobody is.
	Refused func(*admission.Request, string)
	// Metrics count the answers; left out, nobody does.
	Metrics *Metrics
}

// Register has the webhook server serve the paths that config/webhook names.
func (s *Server) Register(server webhook.Server) {
	schemas := newSchemaCheck(s.Live)
	for path, handle := range map[string]admission.HandlerFunc{
		"/stamp/debugsessions":     schemas.before(s.telling(s.stampSession)),
		"/stamp/debugapprovals":    schemas.before(s.telling(s.stampApproval)),
		"/note/deletions":          s.noteDeletion,
		"/validate/debugsessions":  s.telling(s.validateSession),
		"/validate/debugapprovals": s.telling(s.validateApproval),
		"/validate/debugclasses":   s.telling(s.validateClass),
		"/schema":                  schemas.before(s.stampChange),
	} {
		server.Register(path, &admission.Webhook{Handler: s.Metrics.counting(path, handle)})
	}
}

// telling tells of what is refused for good. A dry run was no attempt, and what could not be decided is tried again.
func (s *Server) telling(handle admission.HandlerFunc) admission.HandlerFunc {
	return func(ctx context.Context, req admission.Request) admission.Response {
		response := handle(ctx, req)
		if s.Refused != nil && !response.Allowed && response.Result != nil && response.Result.Code < http.StatusInternalServerError &&
			!ptr.Deref(req.DryRun, false) && req.Kind.Kind != "DebugClass" {
			s.Refused(&req, response.Result.Message)
		}
		return response
	}
}

// Hooks are the webhooks that have to be in place, as config/webhook has them.
func Hooks() []certs.Hook {
	hooks, err := certs.Hooks(webhookconfig.Manifests)
	if err != nil {
		panic(err) // they are part of the binary
	}
	return hooks
}

// Watch has the cache hold what admission reads from it, before the first request is answered. A kind that is not installed
// is not held until it is read when it is.
func Watch(ctx context.Context, c cache.Cache) error {
	for _, object := range []client.Object{&v1alpha1.DebugClass{}, namespaceMetadata()} {
		if _, err := c.GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil && !meta.IsNoMatchError(err) {
			return fmt.Errorf("watching %T: %w", object, err)
		}
	}
	return nil
}

func namespaceMetadata() *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return object
}

// decode reads the object of a request, and on an update the one it takes the place of: else old is zero.
func decode[T any](req *admission.Request) (object, old T, err error) {
	if err = json.Unmarshal(req.Object.Raw, &object); err == nil && len(req.OldObject.Raw) > 0 {
		err = json.Unmarshal(req.OldObject.Raw, &old)
	}
	return object, old, err
}

// unreadable answers for an object that is not what its kind's schema says, where schemaCheck could not tell. The API server will:
// its schema tells the user more than a Go decoder does.
func unreadable() admission.Response {
	return admission.Allowed("")
}

// forbidden refuses what the user may not do.
func forbidden(format string, args ...any) admission.Response {
	return refuse(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(format, args...))
}

// invalid refuses what is wrong in the object.
func invalid(format string, args ...any) admission.Response {
	return refuse(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, fmt.Sprintf(format, args...))
}

// undecided refuses because the cluster did not say what decides.
func undecided(format string, args ...any) admission.Response {
	return refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable,
		fmt.Sprintf(format, args...)+"; the problem is in the cluster, not in your request: try again, and contact a cluster administrator if it persists")
}

func refuse(code int32, reason metav1.StatusReason, message string) admission.Response {
	response := admission.Denied(message)
	response.Result.Code, response.Result.Reason = code, reason
	return response
}
