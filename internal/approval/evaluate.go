package approval

import (
	"fmt"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// ReviewReminder is how often it is told that the review of an emergency is overdue.
const ReviewReminder = 24 * time.Hour

// Approval is a DebugApproval as it was read, and whether the operator's admission vouches for it.
type Approval struct {
	*v1alpha1.DebugApproval
	Sealed  bool
	Unbound bool // admission let it in while no session asked: what it says that it is for was not confirmed
}

// Verdict is whether an approval counts, and why.
type Verdict struct {
	Counts  bool
	Reason  string
	Message string
}

// Evaluate reports whether an approval counts for the session of the name it gives; nil means that there is none.
func Evaluate(approval Approval, session *v1alpha1.DebugSession) Verdict {
	spec := &approval.Spec
	switch {
	case approval.Unbound || spec.SessionUID == "" || spec.Approver == nil:
		return Verdict{Reason: v1alpha1.ReasonUnbound, Message: fmt.Sprintf(
			"no session %q was awaiting approval when this was created, so it approves nothing; delete it, and create it again while the session is AwaitingApproval", spec.SessionName)}
	case !approval.Sealed:
		return Verdict{Reason: v1alpha1.ReasonNotTrusted, Message: "not stamped by the operator's admission webhook; delete it, and create it again"}
	case session == nil || session.UID != spec.SessionUID:
		return Verdict{Reason: v1alpha1.ReasonOtherSession, Message: fmt.Sprintf(
			"session %q with UID %s is gone; a new session needs a new approval: delete this one, and create another", spec.SessionName, spec.SessionUID)}
	case session.Status.Request == nil || session.Status.Class == nil || session.Status.Request.Hash != spec.RequestHash:
		return Verdict{Reason: v1alpha1.ReasonOtherRequest, Message: "the session requests something other than what this approved; delete it, and create it again"}
	case late(approval, &session.Status):
		return Verdict{Reason: v1alpha1.ReasonSessionEnded, Message: "it came after the session's approval timeout, which is final; apply a new session"}
	case spec.Decision == v1alpha1.DecisionApprove && selfApproved(approval, session):
		return Verdict{Reason: v1alpha1.ReasonSelfApproval, Message: fmt.Sprintf(
			"%s requested the session, and class %q does not allow self-approval", spec.Approver.Username, session.Spec.ClassName)}
	default:
		return Verdict{Counts: true, Reason: v1alpha1.ReasonCounted, Message: fmt.Sprintf("%s by %s", spec.Decision, spec.Approver.Username)}
	}
}

// late reports whether a session that has not started was no longer waiting for the approval.
func late(approval Approval, session *v1alpha1.DebugSessionStatus) bool {
	return session.StartedAt == nil && !approval.CreationTimestamp.Time.Before(Deadline(session))
}

// Deadline is when a session that asks for approval has waited long enough.
func Deadline(session *v1alpha1.DebugSessionStatus) time.Time {
	wait := v1alpha1.DefaultApprovalTimeout
	if granted := session.Class.ApprovalTimeout; granted != nil { // else somebody has edited the status
		wait = granted.Duration
	}
	return session.Request.Since.Add(wait)
}

func selfApproved(approval Approval, session *v1alpha1.DebugSession) bool {
	return !session.Status.Class.SelfApproval && session.Spec.Requester != nil &&
		approval.Spec.Approver.Username == session.Spec.Requester.Username
}
