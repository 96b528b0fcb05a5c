package admission

import (
	"context"
	"encoding/json"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/ptr"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
)

// NewDeletionLimit bounds how many deletions a second are noted: whoever reaches the webhooks could ask for them.
func NewDeletionLimit() flowcontrol.PassiveRateLimiter {
	return flowcontrol.NewTokenBucketPassiveRateLimiter(20, 200)
}

const (
	// roomy is how large a session may be, as the API server sends it, that has room for a stamp; its store keeps half as much again.
	roomy = 1 << 20
	// mostAnnotations is how many bytes of annotations the API server takes.
	mostAnnotations = 256 << 10
)

// stampChange writes into a session who changes its ttl or end. What it has written before stays, whatever else is changed: who
// extends a session could take it away before the operator has read it. A session that somebody has made too large for it can
// be ended without.
func (s *Server) stampChange(_ context.Context, req admission.Request) admission.Response {
	if req.Kind.Kind != "DebugSession" || req.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	session, old, err := decode[v1alpha1.DebugSession](&req)
	if err != nil {
		return unreadable()
	}
	session.UID = old.UID // a manifest has none
	change := old.Annotations[v1alpha1.AnnotationChangedBy]
	if session.Spec.End != old.Spec.End || !ptr.Equal(session.Spec.TTL, old.Spec.TTL) {
		change = s.Sealer.Change(&session, req.UserInfo.Username, s.Clock.Now())
	}
	if change == "" || change == session.Annotations[v1alpha1.AnnotationChangedBy] {
		return admission.Allowed("")
	}
	longer := session.Spec.TTLUnder(old.Status.Class) > old.TTL()
	if !longer && !hasRoom(&req, session.Annotations, change) {
		return admission.Allowed("")
	}
	var p patch
	p.annotate(session.Annotations, v1alpha1.AnnotationChangedBy, change)
	return p.response()
}

func hasRoom(req *admission.Request, annotations map[string]string, change string) bool {
	size := len(v1alpha1.AnnotationChangedBy) + len(change)
	for key, value := range annotations {
		if key != v1alpha1.AnnotationChangedBy {
			size += len(key) + len(value)
		}
	}
	return size <= mostAnnotations && len(req.Object.Raw)+len(change) <= roomy
}

// noteDeletion writes into the status of a session that has not ended who deletes it, before it is: an object that is deleted cannot
// be written into. It refuses nothing. A deletion that is bound to the session's version would fail for it.
func (s *Server) noteDeletion(ctx context.Context, req admission.Request) admission.Response {
	var session v1alpha1.DebugSession
	var options metav1.DeleteOptions
	if s.NoteDeletion == nil || ptr.Deref(req.DryRun, false) || json.Unmarshal(req.OldObject.Raw, &session) != nil ||
		len(req.Options.Raw) > 0 && json.Unmarshal(req.Options.Raw, &options) != nil {
		return admission.Allowed("")
	}
	bound := options.Preconditions != nil && options.Preconditions.ResourceVersion != nil
	before := session.Status.DeletedBy
	known := before != nil && before.By == req.UserInfo.Username && s.Clock.Since(before.At.Time) < deletionAge
	if bound || known || session.DeletionTimestamp != nil || s.DeletionLimit != nil && !s.DeletionLimit.TryAccept() {
		return admission.Allowed("")
	}
	deletion := v1alpha1.DeletionStatus{By: req.UserInfo.Username, At: metav1.NewTime(s.Clock.Now().UTC().Truncate(time.Second))}
	if err := s.NoteDeletion(ctx, &session, deletion); err != nil {
		logf.FromContext(ctx).Error(err, "cannot record who is deleting the session")
	}
	return admission.Allowed("")
}

// deletionAge is how old a note may be of the same deletion, of which the API server asks again once it was noted.
const deletionAge = 5 * time.Second
