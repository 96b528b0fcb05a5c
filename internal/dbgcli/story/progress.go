package story

import (
	"cmp"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// Progress is what a session that has not started waits for, and for how long: the part that changes by itself.
func Progress(session *v1alpha1.DebugSession, now time.Time) (text, timing string) {
	return ProgressWith(session, "", now)
}

// ProgressWith is the same, with the image that a kubelet is known to pull for the debugger.
func ProgressWith(session *v1alpha1.DebugSession, pulled string, now time.Time) (text, timing string) {
	message := Message(session)
	switch session.Status.Phase {
	case v1alpha1.PhaseAwaitingApproval:
		return "waiting for " + cmp.Or(session.Status.WaitingFor, "approval"), approvalTime(session, now)
	case v1alpha1.PhaseStarting:
		if since := session.Status.StartedAt; since != nil {
			timing = ", " + Duration(now.Sub(since.Time))
		}
		switch {
		case pulled != "" && (message == "" || session.Status.Reason == v1alpha1.ReasonStarting):
			return "pulling " + pulled, timing
		case message != "" && message != v1alpha1.MessageStarting:
			return message, timing
		default:
			return starts(session), timing
		}
	case v1alpha1.PhaseActive:
		return "the debugger is running", ""
	case v1alpha1.PhaseEnding:
		return cmp.Or(message, "the session is ending"), ""
	case v1alpha1.PhaseEnded:
		return cmp.Or(message, "the session has ended"), ""
	default:
		return cmp.Or(message, "waiting for the operator"), ", " + Duration(now.Sub(session.CreationTimestamp.Time))
	}
}

func approvalTime(session *v1alpha1.DebugSession, now time.Time) string {
	request, class := session.Status.Request, session.Status.Class
	if request == nil || class == nil || class.ApprovalTimeout == nil {
		return ""
	}
	return ", " + Duration(request.Since.Add(class.ApprovalTimeout.Duration).Sub(now)) + " left"
}

func starts(session *v1alpha1.DebugSession) string {
	image := session.Spec.Debugger.Image
	if class := session.Status.Class; class != nil && class.Image != "" {
		image = class.Image
	}
	line := "starting " + cmp.Or(image, "the debugger")
	target := session.Status.Target
	if target == nil {
		return line
	}
	return line + " " + startsIn(session.Spec.Mode, target)
}
