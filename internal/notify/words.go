package notify

import (
	"fmt"
	"strings"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// words are a message's title and text: who, what, where, why and for how long, and what to do.
func words(m *Message) (title, text string) {
	s := m.Session
	where := fmt.Sprintf("%s in namespace %s", place(s), s.Namespace)
	name := s.Namespace + "/" + s.Name
	why := ""
	if s.Reason != "" {
		why = " Reason: " + s.Reason + "."
	}
	if s.Trigger != "" {
		why += " It was armed, and triggered: " + s.Trigger + "."
	}
	with := fmt.Sprintf("class %s, mode %s", s.Class, s.Mode)
	if s.Profile != "" {
		with += fmt.Sprintf(", profile %s", s.Profile)
	}
	if s.Image != "" {
		with += ", image " + s.Image
	}
	if how := inReview(m); how != "" {
		return fmt.Sprintf("The emergency %s was %s", name, how),
			fmt.Sprintf("Session %s, which started before approval, was %s by %s: %s debugged %s (%s).%s", name, how, s.Review.By, s.Requester, where, with, why)
	}
	switch m.Type {
	case v1alpha1.NotifyAwaitingApproval:
		if m.Approve == nil {
			return fmt.Sprintf("%s requested approval to debug %s", s.Requester, where),
				fmt.Sprintf("Session %s was waiting for approval since %s. %s asked to debug %s for %s (%s).%s", name, m.Time, s.Requester, where, s.TTL, with, why)
		}
		return fmt.Sprintf("%s requests approval to debug %s", s.Requester, where),
			fmt.Sprintf("Session %s is waiting for %s. %s asks to debug %s for %s (%s).%s To review and approve it: %s",
				name, s.WaitingFor, s.Requester, where, s.TTL, with, why, m.Approve.Command)
	case v1alpha1.NotifyEmergency:
		return fmt.Sprintf("EMERGENCY: %s is debugging %s without approval", s.Requester, where),
			fmt.Sprintf("Session %s started before approval, as an emergency: %s is debugging %s (%s).%s %s", name, s.Requester, where, with, why, reviewed(m))
	case v1alpha1.NotifyReviewOverdue:
		return fmt.Sprintf("The review of %s is overdue", name),
			fmt.Sprintf("Session %s started before approval, as an emergency, and was not reviewed in time: %s debugged %s (%s).%s %s", name, s.Requester, where, with, why, reviewed(m))
	case v1alpha1.NotifyApproved:
		return fmt.Sprintf("%s may debug %s", s.Requester, where),
			fmt.Sprintf("Session %s was approved by %s: %s may debug %s for up to %s (%s).%s", name, s.ApprovedBy, s.Requester, where, s.TTL, with, why)
	case v1alpha1.NotifyDenied:
		return fmt.Sprintf("%s may not debug %s", s.Requester, where),
			fmt.Sprintf("Session %s was denied by %s: %s asked to debug %s for %s (%s).%s", name, s.DeniedBy, s.Requester, where, s.TTL, with, why)
	case v1alpha1.NotifyActive:
		return fmt.Sprintf("%s is debugging %s", s.Requester, where),
			fmt.Sprintf("Session %s is active: %s is debugging %s until %s (%s).%s", name, s.Requester, where, s.ExpiresAt, with, why)
	case v1alpha1.NotifyAboutToEnd:
		return fmt.Sprintf("%s is about to end", name),
			fmt.Sprintf("Session %s, in which %s is debugging %s, ends at %s. To extend it, increase its spec.ttl, up to the maximum of its class.%s", name, s.Requester, where, s.ExpiresAt, why)
	default:
		ended := fmt.Sprintf("Session %s of %s ended (%s): %s. It was created to debug %s (%s).%s", name, s.Requester, s.Outcome, s.Message, where, with, why)
		if s.Review != nil && s.Review.Decision == "" {
			ended += " It started before approval. " + reviewed(m)
		}
		return fmt.Sprintf("%s has ended: %s", name, s.Outcome), ended
	}
}

// inReview is how an emergency was reviewed of which a message tells that; empty for any other.
func inReview(m *Message) string {
	switch review := m.Session.Review; {
	case review == nil:
		return ""
	case m.Type == v1alpha1.NotifyApproved && review.Decision == v1alpha1.DecisionApprove:
		return "acknowledged in review"
	case m.Type == v1alpha1.NotifyDenied && review.Decision == v1alpha1.DecisionDeny:
		return "denied in review"
	default:
		return ""
	}
}

// reviewed tells by when an emergency must be reviewed, and how; or how it was by the time that this is sent.
func reviewed(m *Message) string {
	review := m.Session.Review
	switch {
	case review == nil:
		return "It must be reviewed."
	case review.Decision == v1alpha1.DecisionApprove:
		return fmt.Sprintf("It was acknowledged by %s.", review.By)
	case review.Decision == v1alpha1.DecisionDeny:
		return fmt.Sprintf("It was denied by %s.", review.By)
	case m.Approve == nil:
		return fmt.Sprintf("It must be reviewed by %s.", review.DueAt)
	default:
		return fmt.Sprintf("It must be reviewed by %s: %s, or kubectl dbg deny.", review.DueAt, m.Approve.Command)
	}
}

// place is what is debugged. A session that found no target has none.
func place(s *Session) string {
	switch {
	case s.Target == "":
		return "a target that was not found"
	case s.Times > 0 && s.Mode == v1alpha1.ModePodCopy:
		return fmt.Sprintf("copies of the pods of %s, each time that one %s, up to %d times", s.Target, s.When, s.Times)
	case s.Times > 0:
		return fmt.Sprintf("the pods of %s, each time that one %s, up to %d times", s.Target, s.When, s.Times)
	case s.When != "" && s.Trigger == "" && s.Mode == v1alpha1.ModePodCopy:
		return fmt.Sprintf("a copy of the first pod of %s that %s", s.Target, s.When)
	case s.When != "" && s.Trigger == "":
		return fmt.Sprintf("the first pod of %s that %s", s.Target, s.When)
	case strings.HasPrefix(s.Target, "node/"), strings.HasPrefix(s.Target, "pvc/"), strings.HasPrefix(s.Target, "image/"):
		return s.Target
	case s.Mode == v1alpha1.ModePodCopy && strings.Contains(s.Target, "/"): // no pod's name has that
		return "a copy of the pod template of " + s.Target
	case s.Mode == v1alpha1.ModePodCopy:
		return "a copy of pod " + s.Target
	case s.Container != "":
		return fmt.Sprintf("pod %s (container %s)", s.Target, s.Container)
	default:
		return "pod " + s.Target
	}
}

// refused tells that admission let something not in.
func refused(r *Refusal, id string, at time.Time) *Message {
	m := newMessage(v1alpha1.NotifyRefused, id, fmt.Sprintf("namespaces/%s/%ss/%s", r.Namespace, strings.ToLower(r.Kind), r.Name), at)
	m.Refusal = r
	m.Title = fmt.Sprintf("%s was refused a %s in namespace %s", r.User, r.Kind, r.Namespace)
	m.Text = fmt.Sprintf("%s tried to %s %s %s/%s, which admission refused: %s", r.User, strings.ToLower(r.Operation), r.Kind, r.Namespace, r.Name, r.Message)
	if r.Suppressed > 0 {
		m.Text += fmt.Sprintf(" (%d earlier refusals of the same user were not reported)", r.Suppressed)
	}
	return m
}

// tampered tells that what admission goes by was changed or deleted.
func tampered(t *Tampering, id string, at time.Time) *Message {
	m := newMessage(v1alpha1.NotifyTampered, id, strings.ToLower(t.Kind)+"s/"+t.Name, at)
	m.Tampering = t
	m.Title = fmt.Sprintf("%s %s was tampered with", t.Kind, t.Name)
	m.Text = fmt.Sprintf("%s %s, which verifies who creates a session, is no longer as installed: %s. "+
		"No session starts until it is restored. The API server's audit log shows who changed it.", t.Kind, t.Name, t.Message)
	return m
}
