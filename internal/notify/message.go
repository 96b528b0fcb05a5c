package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
)

// SchemaURI names the JSON schema of a message's data: docs/notification.schema.json.
const SchemaURI = "urn:debugsession.dev:schema:notification:v1"

// maxField is how many characters a field of a message that somebody else has written may have.
const maxField = 1024

// Message is what a sink is told: the data of a CloudEvent, and what a template is executed with. Its fields stay as they are.
type Message struct {
	// ID is the CloudEvent's: the same for each try.
	ID string `json:"-"`
	// EventType, Source and Subject are the CloudEvent's.
	EventType string `json:"-"`
	Source    string `json:"-"`
	Subject   string `json:"-"`

	Type    v1alpha1.NotificationType `json:"type"`
	Time    string                    `json:"time"` // when it happened, RFC 3339
	Cluster string                    `json:"cluster,omitempty"`
	Title   string                    `json:"title"`
	Text    string                    `json:"text"` // the whole message in plain words

	Session   *Session   `json:"session,omitempty"`
	Approve   *Approve   `json:"approve,omitempty"`
	Refusal   *Refusal   `json:"refusal,omitempty"`
	Tampering *Tampering `json:"tampering,omitempty"`
}

// Session is the session that a message is about, as it is when it is sent.
type Session struct {
	Namespace  string           `json:"namespace"`
	Name       string           `json:"name"`
	UID        string           `json:"uid"`
	Requester  string           `json:"requester"`
	Reason     string           `json:"reason,omitempty"`
	Class      string           `json:"class"`
	Mode       v1alpha1.Mode    `json:"mode"`
	Profile    v1alpha1.Profile `json:"profile,omitempty"`
	Image      string           `json:"image,omitempty"`
	Target     string           `json:"target,omitempty"` // the pod's name, node/ and the node's, the kind and name of the workload whose pod template is copied, pvc/ and the claim's name, or image/ and the image
	Node       string           `json:"node,omitempty"`
	Container  string           `json:"container,omitempty"`
	When       string           `json:"when,omitempty"`    // of a session that is armed: what a pod of its target does to start it
	Trigger    string           `json:"trigger,omitempty"` // what the pod did that started it
	Times      int32            `json:"times,omitempty"`   // of one that debugs more than the first pod: how many
	TTL        string           `json:"ttl,omitempty"`
	Phase      v1alpha1.Phase   `json:"phase"`
	Outcome    v1alpha1.Outcome `json:"outcome,omitempty"`
	Message    string           `json:"message,omitempty"` // why it stands there
	WaitingFor string           `json:"waitingFor,omitempty"`
	ApprovedBy string           `json:"approvedBy,omitempty"`
	DeniedBy   string           `json:"deniedBy,omitempty"`
	StartedAt  string           `json:"startedAt,omitempty"`
	ExpiresAt  string           `json:"expiresAt,omitempty"`
	EndedAt    string           `json:"endedAt,omitempty"`
	ExitCode   *int32           `json:"exitCode,omitempty"`

	Review *Review `json:"review,omitempty"` // of a session that started before its approval
}

// Review is where the review of a session stands that started before its approval.
type Review struct {
	DueAt    string            `json:"dueAt"`
	Decision v1alpha1.Decision `json:"decision,omitempty"` // none while it is awaited
	By       string            `json:"by,omitempty"`
	At       string            `json:"at,omitempty"`
	AfterEnd bool              `json:"afterEnd,omitempty"`
}

// Approve says how a session that waits is approved.
type Approve struct {
	Command     string `json:"command"`     // of kubectl dbg
	Kubectl     string `json:"kubectl"`     // of kubectl alone, to the same effect
	Deny        string `json:"deny"`        // by kubectl alone
	RequestHash string `json:"requestHash"` // what an approval is bound to
}

// Refusal is what admission has let not in.
type Refusal struct {
	User       string `json:"user"`
	Kind       string `json:"kind"`
	Operation  string `json:"operation"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name,omitempty"`
	Class      string `json:"class,omitempty"`
	Message    string `json:"message"`
	Suppressed int    `json:"suppressed,omitempty"` // refusals of the user before this one that were not told
}

// Tampering is what of the operator's admission was changed or deleted.
type Tampering struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

// eventTypes are the types of CloudEvents. They never change: what means something else gets another version.
var eventTypes = map[v1alpha1.NotificationType]string{
	v1alpha1.NotifyAwaitingApproval: "dev.debugsession.session.awaiting-approval.v1",
	v1alpha1.NotifyApproved:         "dev.debugsession.session.approved.v1",
	v1alpha1.NotifyDenied:           "dev.debugsession.session.denied.v1",
	v1alpha1.NotifyActive:           "dev.debugsession.session.active.v1",
	v1alpha1.NotifyAboutToEnd:       "dev.debugsession.session.about-to-end.v1",
	v1alpha1.NotifyEnded:            "dev.debugsession.session.ended.v1",
	v1alpha1.NotifyEmergency:        "dev.debugsession.session.emergency.v1",
	v1alpha1.NotifyReviewOverdue:    "dev.debugsession.session.review-overdue.v1",
	v1alpha1.NotifyRefused:          "dev.debugsession.admission.refused.v1",
	v1alpha1.NotifyTampered:         "dev.debugsession.admission.tampered.v1",
}

// newMessage is a message but for what it is about.
func newMessage(of v1alpha1.NotificationType, id, subject string, at time.Time) *Message {
	return &Message{ID: id, EventType: eventTypes[of], Subject: subject, Type: of, Time: at.UTC().Format(time.RFC3339)}
}

// from says which cluster a message comes from.
func (m *Message) from(cluster string) *Message {
	copied := *m
	copied.Source, copied.Cluster = "/debugsession.dev", cluster
	if cluster != "" {
		copied.Source += "/" + cluster
	}
	return &copied
}

// messageOf tells of a session's move. Two tries to tell it have the same ID.
func messageOf(session *v1alpha1.DebugSession, m move) *Message {
	message := newMessage(m.notificationType, string(session.UID)+"/"+m.key(),
		fmt.Sprintf("namespaces/%s/debugsessions/%s", session.Namespace, session.Name), m.at)
	message.Session = describe(session)
	if m.notificationType == v1alpha1.NotifyEnded && message.Session.Outcome == "" {
		message.Session.Phase, message.Session.Outcome = v1alpha1.PhaseEnded, v1alpha1.OutcomeTerminated
		message.Session.Message = "the session was deleted"
	}
	if m.notificationType == v1alpha1.NotifyAwaitingApproval && waits(session) || session.Status.AwaitsReview() && session.Status.Request != nil {
		message.Approve = approve(session)
	}
	message.Title, message.Text = words(message)
	return message
}

func describe(session *v1alpha1.DebugSession) *Session {
	spec, status := &session.Spec, &session.Status
	s := &Session{
		Namespace: session.Namespace, Name: session.Name, UID: string(session.UID), Requester: "nobody known",
		Reason: line(spec.Reason), Class: spec.ClassName, Mode: cmp.Or(spec.Mode, v1alpha1.ModeEphemeralContainer),
		Profile: spec.Profile, Image: line(spec.Debugger.Image),
		Phase: cmp.Or(status.Phase, v1alpha1.PhasePending), Outcome: status.Outcome,
		Message: line(status.Message()), WaitingFor: line(status.WaitingFor), ApprovedBy: line(status.ApprovedBy),
		StartedAt: stamp(status.StartedAt), ExpiresAt: stamp(status.ExpiresAt), EndedAt: stamp(status.EndedAt),
	}
	if spec.Requester != nil {
		s.Requester = line(spec.Requester.Username)
	}
	if t := session.TTL(); t > 0 {
		s.TTL = v1alpha1.FormatDuration(t)
	}
	if class := status.Class; class != nil {
		s.Profile, s.Image = cmp.Or(class.Profile, s.Profile), cmp.Or(line(class.Image), s.Image)
	}
	if target := status.Target; target != nil {
		s.Target, s.Node, s.Container = cmp.Or(target.Name, target.PodName), target.NodeName, target.Container
	}
	s.When, s.Times = trigger(spec.Target.When), spec.Target.Times()
	if armed := status.Armed; armed != nil && armed.TriggeredAt != nil && status.Target != nil {
		s.Trigger = line(status.Target.Choice)
	}
	if debugger := status.Debugger; debugger != nil {
		s.ExitCode = debugger.ExitCode
	}
	if review := status.Review; review != nil {
		s.Review = &Review{DueAt: stamp(&review.DueAt), Decision: review.Decision, By: line(review.By), At: stamp(review.At), AfterEnd: review.AfterEnd}
	}
	for i := range status.Approvals {
		if status.Approvals[i].Decision == v1alpha1.DecisionDeny {
			s.DeniedBy = line(status.Approvals[i].By)
		}
	}
	return s
}

// trigger is what an armed session waits for, of a pod; empty for any other session.
func trigger(when *v1alpha1.When) string {
	switch {
	case when == nil:
		return ""
	case when.NotReadyFor != nil:
		return "is not ready for " + v1alpha1.FormatDuration(when.NotReadyFor.Duration)
	default:
		return "crashes"
	}
}

// approve are the commands that approve what the session asks for now, and nothing else: an approval that is bound to its hash and to
// its ttl is refused if it asks for something else by then. Names are of letters, digits, - and . alone, so a shell takes them as they are.
func approve(session *v1alpha1.DebugSession) *Approve {
	by := func(decision v1alpha1.Decision) string {
		spec := map[string]any{"sessionName": session.Name, "decision": decision, "requestHash": session.Status.Request.Hash}
		if decision == v1alpha1.DecisionApprove {
			spec["ttl"] = v1alpha1.FormatDuration(session.TTL())
		}
		text, err := json.Marshal(map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "DebugApproval",
			"metadata": map[string]any{"namespace": session.Namespace, "generateName": session.Name + "-"}, "spec": spec,
		})
		if err != nil {
			panic(err) // plain data
		}
		return fmt.Sprintf("echo '%s' | kubectl create -f -", text)
	}
	commands := &Approve{
		Command: fmt.Sprintf("kubectl dbg approve %s -n %s", session.Name, session.Namespace),
		Kubectl: by(v1alpha1.DecisionApprove), Deny: by(v1alpha1.DecisionDeny), RequestHash: session.Status.Request.Hash,
	}
	if waitsForMore(session) {
		commands.Command = commands.Kubectl // kubectl dbg approves what has not started
	}
	return commands
}

func stamp(at *metav1.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// line makes one line of what somebody else has written, harmless and with a bound.
func line(text string) string {
	runes := []rune(plaintext.Line(text))
	if len(runes) > maxField {
		runes = append(runes[:maxField-1], '…')
	}
	return string(runes)
}

// exampleSession is what a template is tried with.
func exampleSession() *v1alpha1.DebugSession {
	at := metav1.Date(2026, 11, 27, 12, 25, 48, 0, time.UTC)
	until := metav1.NewTime(at.Add(30 * time.Minute))
	ttl := metav1.Duration{Duration: 30 * time.Minute}
	return &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout-hang", UID: types.UID("6f1e0d5e-0000-4000-8000-000000000000")},
		Spec: v1alpha1.DebugSessionSpec{
			ClassName: "production", Reason: `INC-1234: "requests" hang`, Mode: v1alpha1.ModeEphemeralContainer, TTL: &ttl,
			Requester: &v1alpha1.Identity{Username: "alice"},
		},
		Status: v1alpha1.DebugSessionStatus{
			Phase:   v1alpha1.PhaseAwaitingApproval,
			Request: &v1alpha1.RequestStatus{Hash: "sha256:9f2c1a7e44d0", Since: at},
			Class:   &v1alpha1.ClassStatus{Name: "production", Image: "busybox:1.36", Profile: v1alpha1.ProfileGeneral, TTL: v1alpha1.Duration{Duration: ttl.Duration}},
			Target:  &v1alpha1.TargetStatus{Name: "checkout-5b669d4f87-7gtps", PodName: "checkout-5b669d4f87-7gtps", NodeName: "node-1", Container: "app"},
			Approvals: []v1alpha1.ApprovalStatus{
				{Name: "yes", By: "bob", At: at, Decision: v1alpha1.DecisionApprove}, {Name: "no", By: "carol", At: at, Decision: v1alpha1.DecisionDeny},
			},
			WaitingFor: "1 approval from someone allowed to approve class production", ApprovedBy: "bob",
			StartedAt: &at, ExpiresAt: &until, EndedAt: &until, Outcome: v1alpha1.OutcomeExpired,
		},
	}
}

// example is a message of a type, as a template is tried with.
func example(of v1alpha1.NotificationType) *Message {
	session := exampleSession()
	at := session.Status.StartedAt.Time
	switch of {
	case v1alpha1.NotifyRefused:
		return refused(&Refusal{
			User: "mallory", Kind: "DebugSession", Operation: "CREATE", Namespace: "shop", Name: "checkout-hang", Class: "production",
			Message: `"mallory" may not use class "production" in namespace "shop"`,
		}, "example", at)
	case v1alpha1.NotifyTampered:
		return tampered(&Tampering{Kind: "ValidatingAdmissionPolicy", Name: "debugsession-identity-v4", Message: "it was changed"}, "example", at)
	case v1alpha1.NotifyAwaitingApproval: // as it is
	case v1alpha1.NotifyEmergency, v1alpha1.NotifyReviewOverdue:
		session.Status.Phase, session.Status.Approvals, session.Spec.Emergency = v1alpha1.PhaseActive, nil, true
		session.Status.Review = &v1alpha1.ReviewStatus{Since: *session.Status.StartedAt, DueAt: *session.Status.ExpiresAt}
	case v1alpha1.NotifyApproved, v1alpha1.NotifyActive, v1alpha1.NotifyAboutToEnd:
		session.Status.Phase = v1alpha1.PhaseActive
	case v1alpha1.NotifyDenied, v1alpha1.NotifyEnded:
		session.Status.Phase = v1alpha1.PhaseEnded
	}
	return messageOf(session, move{notificationType: of, at: at})
}
