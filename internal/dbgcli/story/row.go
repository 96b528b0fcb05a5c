package story

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// Row is a session in a list: name, target, phase, why it stands there, how long it lasts, who asked for it, its age.
func Row(session *v1alpha1.DebugSession, now time.Time) []string {
	return []string{
		session.Name, targetOf(session), cmp.Or(string(session.Status.Phase), "Pending"), why(session), left(session, now),
		requester(session), Duration(now.Sub(session.CreationTimestamp.Time)),
	}
}

// WideRow is more of it: class, mode, who approved it, the debugger.
func WideRow(session *v1alpha1.DebugSession) []string {
	by := make([]string, 0, len(session.Status.Approvals))
	for i := range session.Status.Approvals {
		by = append(by, session.Status.Approvals[i].By)
	}
	debugger := ""
	if at := session.Status.Debugger; at != nil {
		debugger = at.PodName + "/" + at.ContainerName
	}
	return []string{session.Spec.ClassName, string(session.Spec.Mode), strings.Join(by, ","), debugger}
}

// MayApprove reports whether somebody who may approve the session's class could approve it: a requester cannot, unless the class
// says so, and nobody can twice.
func MayApprove(session *v1alpha1.DebugSession, user string) bool {
	if slices.ContainsFunc(session.Status.Approvals, func(a v1alpha1.ApprovalStatus) bool { return a.By == user }) {
		return false
	}
	class := session.Status.Class
	return requester(session) != user || class != nil && class.SelfApproval
}

func why(session *v1alpha1.DebugSession) string {
	switch {
	case session.Status.Phase == v1alpha1.PhaseAwaitingApproval && session.Status.WaitingFor != "":
		return session.Status.WaitingFor
	case session.Status.ReviewOverdue():
		return "review overdue"
	case session.Status.AwaitsReview():
		return "awaiting review"
	case Ended(session):
		return string(session.Status.Outcome)
	default:
		return session.Status.Reason
	}
}

func left(session *v1alpha1.DebugSession, now time.Time) string {
	if Over(session) {
		return ""
	}
	if session.Status.Phase == v1alpha1.PhaseAwaitingApproval {
		_, timing := Progress(session, now)
		return strings.TrimSuffix(strings.TrimPrefix(timing, ", "), " left")
	}
	if session.Status.Reason == v1alpha1.ReasonArmed && session.Spec.NotAfter != nil {
		return Duration(session.Spec.NotAfter.Sub(now))
	}
	if session.Status.ExpiresAt == nil {
		return ""
	}
	return Duration(session.Status.ExpiresAt.Sub(now))
}

func requester(session *v1alpha1.DebugSession) string {
	if session.Spec.Requester == nil {
		return ""
	}
	return session.Spec.Requester.Username
}

// targetOf is what is debugged, as found, or as asked for.
func targetOf(session *v1alpha1.DebugSession) string {
	if found := session.Status.Target; found != nil && found.Name != "" {
		return found.Name
	}
	switch target := &session.Spec.Target; {
	case target.IsPodNetwork():
		return "network/" + target.PodNamespace + "/" + target.PodName
	case target.PodName != "":
		return target.PodName
	case target.NodeName != "":
		return "node/" + target.NodeName
	case target.Workload != nil:
		return strings.ToLower(target.Workload.Kind) + "/" + target.Workload.Name
	case target.VolumeClaim != nil:
		return "pvc/" + target.VolumeClaim.Name
	case target.Image != "":
		return "image/" + target.Image
	default:
		return "a selected pod"
	}
}
