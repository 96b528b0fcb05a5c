package seal

import (
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

// maxChange is the longest text that is looked at for a change.
const maxChange = 4096

// sealedChange is a change as the annotation has it.
type sealedChange struct {
	v1alpha1.ChangeStatus `json:",inline"`
	Seal                  string `json:"seal,omitempty"`
}

// Change is the annotation that says who has set a session's ttl and end to what its spec has.
func (s *Sealer) Change(session *v1alpha1.DebugSession, by string, at time.Time) string {
	change := sealedChange{ChangeStatus: v1alpha1.ChangeStatus{By: by, At: metav1.NewTime(at.UTC().Truncate(time.Second)), End: session.Spec.End}}
	if session.Spec.TTL != nil {
		change.TTL = &v1alpha1.Duration{Duration: session.Spec.TTL.Duration}
	}
	change.Seal = s.change(session.UID, &change.ChangeStatus)
	text, err := json.Marshal(change)
	if err != nil {
		panic(err) // plain data
	}
	return string(text)
}

// VerifyChange returns who has set the session's ttl and end to what its spec has; nil if no change that admission has sealed says so.
func (s *Sealer) VerifyChange(session *v1alpha1.DebugSession) *v1alpha1.ChangeStatus {
	text := session.Annotations[v1alpha1.AnnotationChangedBy]
	var change sealedChange
	if text == "" || len(text) > maxChange || json.Unmarshal([]byte(text), &change) != nil {
		return nil
	}
	change.At = metav1.NewTime(change.At.UTC()) // as it was sealed
	if !equal(change.Seal, s.change(session.UID, &change.ChangeStatus)) || change.End != session.Spec.End ||
		(change.TTL == nil) != (session.Spec.TTL == nil) || change.TTL != nil && change.TTL.Duration != session.Spec.TTL.Duration {
		return nil
	}
	return &change.ChangeStatus
}

func (s *Sealer) change(session types.UID, change *v1alpha1.ChangeStatus) string {
	return s.sum("change of a DebugSession", string(session), change)
}
