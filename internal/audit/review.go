package audit

import (
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// Review is how a session was reviewed after its end that had started before its approval: its own record was stored by then.
type Review struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	Requester User   `json:"requester"`
	Class     string `json:"class"`

	Session   Reference         `json:"session"` // the session's record
	Decision  v1alpha1.Decision `json:"decision"`
	By        string            `json:"by"`
	At        time.Time         `json:"at"`
	DueAt     time.Time         `json:"dueAt"`
	Approvals []Approval        `json:"approvals,omitempty"`
}

// Reference is where a record is, and what it is.
type Reference struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
}

// ReviewedLate reports whether a session was reviewed after its end.
func ReviewedLate(session *v1alpha1.DebugSession) bool {
	review := session.Status.Review
	return review != nil && review.AfterEnd && review.At != nil
}

// OfReview is the record of the review of a session of which ReviewedLate is true, with the approvals that there are for it.
func OfReview(cluster string, session *v1alpha1.DebugSession, stored Reference, approvals []v1alpha1.DebugApproval) *Record {
	review := session.Status.Review
	return &Record{Schema: SchemaURI, Cluster: cluster, Type: TypeReview, Review: &Review{
		Namespace: session.Namespace, Name: session.Name, UID: string(session.UID),
		Requester: userOf(session.Spec.Requester), Class: session.Spec.ClassName,
		Session: stored, Decision: review.Decision, By: review.By, At: review.At.UTC(), DueAt: review.DueAt.UTC(),
		Approvals: approvalsOf(session, approvals),
	}}
}
