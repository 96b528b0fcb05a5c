// Package audit makes the record of a session that outlives the session's object, and the chain by which it shows if a record was
// changed, removed or put in another place. It talks to nobody.
package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// SchemaURI names the JSON schema of a record: docs/audit.schema.json.
const SchemaURI = "urn:debugsession.dev:schema:audit-record:v1"

// Prefix is what the keys of records begin with.
const Prefix = "records/"

// Record is all that is known of one session, of its review after its end, or of what admission has refused.
type Record struct {
	Schema  string `json:"schema"`
	Cluster string `json:"cluster,omitempty"`
	Type    Type   `json:"type"`

	Session *Session `json:"session,omitempty"`
	Refusal *Refusal `json:"refusal,omitempty"`
	Review  *Review  `json:"review,omitempty"`
}

// Type is what a record is of.
type Type string

// The types of records.
const (
	TypeSession Type = "Session"
	TypeRefusal Type = "Refusal"
	TypeReview  Type = "Review"
)

// Session is a session that is over.
type Session struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       string    `json:"uid"`
	CreatedAt time.Time `json:"createdAt"`
	DeletedAt time.Time `json:"deletedAt,omitzero"`
	DeletedBy string    `json:"deletedBy,omitempty"` // where the operator's admission has seen it

	Requester User                      `json:"requester"`
	Reason    string                    `json:"reason,omitempty"`
	Spec      v1alpha1.DebugSessionSpec `json:"spec"`
	Class     *v1alpha1.ClassStatus     `json:"class,omitempty"`
	Request   *Request                  `json:"request,omitempty"`
	Approvals []Approval                `json:"approvals,omitempty"`
	Changes   []v1alpha1.ChangeStatus   `json:"changes,omitempty"` // where the operator's admission has seen them
	Review    *v1alpha1.ReviewStatus    `json:"review,omitempty"`  // as it stood when the record was made
	Access    *v1alpha1.AccessStatus    `json:"access,omitempty"`
	Armed     *v1alpha1.ArmedStatus     `json:"armed,omitempty"` // of one that waited for a pod to crash: what that did is the target's choice
	Target    *v1alpha1.TargetStatus    `json:"target,omitempty"`
	Debugger  *v1alpha1.DebuggerStatus  `json:"debugger,omitempty"`
	Members   []v1alpha1.MemberStatus   `json:"members,omitempty"`   // of one with target.all or target.when.times: the sessions that were made for it, each of which has a record of its own
	Artifacts []v1alpha1.ArtifactStatus `json:"artifacts,omitempty"` // what became of the files that were to be kept

	Transcript *v1alpha1.TranscriptStatus `json:"transcript,omitempty"` // of what the debugger printed, where that is kept
	Times      Times                      `json:"times"`
	Outcome    v1alpha1.Outcome           `json:"outcome,omitempty"`
	StoppedBy  v1alpha1.StoppedBy         `json:"stoppedBy,omitempty"`
	Message    string                     `json:"message,omitempty"`
	Warnings   []string                   `json:"warnings,omitempty"`
}

// User is who the API server said that somebody is.
type User struct {
	Username string                         `json:"username"`
	UID      string                         `json:"uid,omitempty"`
	Groups   []string                       `json:"groups,omitempty"`
	Extra    map[string]v1alpha1.ExtraValue `json:"extra,omitempty"`
}

// Request is what approvers were asked to approve.
type Request struct {
	Hash  string    `json:"hash"`
	Since time.Time `json:"since"`
}

// Approval is what one approver has decided, and why.
type Approval struct {
	Name     string             `json:"name"`
	Approver User               `json:"approver"`
	At       time.Time          `json:"at"`
	Decision v1alpha1.Decision  `json:"decision"`
	Reason   string             `json:"reason,omitempty"`
	TTL      *v1alpha1.Duration `json:"ttl,omitempty"`
	Counted  bool               `json:"counted"`
}

// Times are when a session moved on. One that never got there has none.
type Times struct {
	Started      time.Time `json:"started,omitzero"`
	Active       time.Time `json:"active,omitzero"`
	Expires      time.Time `json:"expires,omitzero"`
	HardDeadline time.Time `json:"hardDeadline,omitzero"`
	Finished     time.Time `json:"finished,omitzero"`
	Ended        time.Time `json:"ended,omitzero"`
}

// OfSession is the record of a session that is over, with the approvals that there are for it.
func OfSession(cluster string, session *v1alpha1.DebugSession, approvals []v1alpha1.DebugApproval) *Record {
	status := session.Status.DeepCopy()
	s := &Session{
		Namespace: session.Namespace, Name: session.Name, UID: string(session.UID), CreatedAt: session.CreationTimestamp.UTC(),
		Requester: userOf(session.Spec.Requester), Reason: session.Spec.Reason, Spec: *session.Spec.DeepCopy(),
		Class: status.Class, Review: status.Review, Access: status.Access, Armed: status.Armed, Target: status.Target, Debugger: status.Debugger,
		Transcript: status.Transcript, Artifacts: status.Artifacts, Members: status.Members,
		Approvals: approvalsOf(session, approvals), Changes: status.Changes, Warnings: status.Warnings, Times: timesOf(status),
	}
	if ended := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionEnded); ended != nil { // also while the session waits for its record
		s.Outcome, s.Message = v1alpha1.Outcome(ended.Reason), ended.Message
	}
	s.Spec.Requester, s.Spec.Reason = nil, "" // they stand beside it; a seal proves nothing outside the cluster
	if session.DeletionTimestamp != nil {
		s.DeletedAt = session.DeletionTimestamp.UTC()
	}
	if by := status.DeletedBy; by != nil && session.DeletionTimestamp != nil && session.DeletionTimestamp.Sub(by.At.Time).Abs() < deletionSeen {
		s.DeletedBy = by.By
	}
	if status.Request != nil {
		s.Request = &Request{Hash: status.Request.Hash, Since: status.Request.Since.UTC()}
	}
	if status.Debugger != nil {
		s.StoppedBy = status.Debugger.StoppedBy
	}
	return &Record{Schema: SchemaURI, Cluster: cluster, Type: TypeSession, Session: s}
}

// deletionSeen is how long it may take from when admission sees a deletion to when the API server writes it down.
const deletionSeen = 15 * time.Second

func userOf(identity *v1alpha1.Identity) User {
	if identity == nil {
		return User{}
	}
	i := identity.DeepCopy()
	return User{Username: i.Username, UID: i.UID, Groups: i.Groups, Extra: i.Extra}
}

// approvalsOf are all decisions on a session: those that its status has, with what their objects add while these are there; and
// those that did not count.
func approvalsOf(session *v1alpha1.DebugSession, objects []v1alpha1.DebugApproval) []Approval {
	var all []Approval
	for _, said := range session.Status.Approvals {
		a := Approval{Name: said.Name, Approver: User{Username: said.By}, At: said.At.UTC(), Decision: said.Decision, TTL: said.TTL, Reason: said.Reason, Counted: true}
		i := slices.IndexFunc(objects, func(o v1alpha1.DebugApproval) bool {
			return o.Name == said.Name && o.CreationTimestamp.Equal(&said.At) && o.Spec.Approver != nil && o.Spec.Approver.Username == said.By
		})
		if i >= 0 {
			a.Approver, a.Reason = userOf(objects[i].Spec.Approver), objects[i].Spec.Reason
		}
		all = append(all, a)
	}
	for i := range objects {
		o := &objects[i]
		counted := slices.ContainsFunc(session.Status.Approvals, func(s v1alpha1.ApprovalStatus) bool { return s.Name == o.Name })
		if o.Spec.SessionName != session.Name || counted {
			continue
		}
		all = append(all, Approval{
			Name: o.Name, Approver: userOf(o.Spec.Approver), At: o.CreationTimestamp.UTC(), Decision: o.Spec.Decision, Reason: o.Spec.Reason,
		})
	}
	slices.SortStableFunc(all, func(a, b Approval) int { return a.At.Compare(b.At) })
	return all
}

func timesOf(status *v1alpha1.DebugSessionStatus) Times {
	at := func(t *metav1.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return t.UTC()
	}
	times := Times{
		Started: at(status.StartedAt), Expires: at(status.ExpiresAt), HardDeadline: at(status.HardDeadline), Ended: at(status.EndedAt),
	}
	if status.Debugger != nil {
		times.Active, times.Finished = at(status.Debugger.StartedAt), at(status.Debugger.FinishedAt)
	}
	return times
}

// Time is when what a record tells of was over. It says on which day, in UTC, the record is kept.
func (r *Record) Time() time.Time {
	switch {
	case r.Refusal != nil:
		return r.Refusal.Last
	case r.Review != nil:
		return r.Review.At
	case r.Session.Times.Ended.IsZero():
		return r.Session.CreatedAt
	default:
		return r.Session.Times.Ended
	}
}

// Key is where a record is kept: by day, then namespace, then session, so that a listing is in that order. The same record has the
// same key at each try.
func (r *Record) Key() string {
	var namespace, name string
	switch {
	case r.Refusal != nil:
		namespace, name = r.Refusal.Namespace, "refused-"+part(r.Refusal.ID)
	case r.Review != nil:
		namespace, name = r.Review.Namespace, part(r.Review.Name)+"-"+part(r.Review.UID)+".review"
	default:
		namespace, name = r.Session.Namespace, part(r.Session.Name)+"-"+part(r.Session.UID)
	}
	return fmt.Sprintf("%s%s/%s/%s.json", Prefix, r.Time().UTC().Format(time.DateOnly), part(namespace), name)
}

// maxPart is how much of a name a key has. Where a store is a folder, the name of a file may have 255 bytes, and those of sessions have
// up to 253 without the UID.
const maxPart = 180

// part is a part of a key: no name of Kubernetes has a character that is changed here.
func part(name string) string {
	name = name[:min(len(name), maxPart)]
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, name)
}

// Encode is the record as it is kept. It is the same text for the same record.
func (r *Record) Encode() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(r)
	return text.Bytes(), err
}

// OtherKey is where a record is kept if something else is kept at its key: nobody who may write to the store can so keep a record out.
func OtherKey(key string, try int) string {
	return fmt.Sprintf("%s.%d.json", strings.TrimSuffix(key, ".json"), try)
}

// Decode reads a record.
func Decode(text []byte) (*Record, error) {
	record := &Record{}
	if err := json.Unmarshal(text, record); err != nil {
		return nil, err
	}
	is := map[Type]bool{TypeSession: record.Session != nil, TypeRefusal: record.Refusal != nil, TypeReview: record.Review != nil}
	if record.Schema != SchemaURI || !is[record.Type] {
		return nil, fmt.Errorf("it is not a record of %s", SchemaURI)
	}
	for other, there := range is {
		if there && other != record.Type {
			return nil, fmt.Errorf("it is not a record of %s: its type is %s, but it has the fields of a %s", SchemaURI, record.Type, other)
		}
	}
	return record, nil
}
