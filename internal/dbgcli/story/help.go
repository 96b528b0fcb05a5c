package story

import (
	"cmp"
	"slices"
	"strings"

	"debugsession.dev/operator/api/v1alpha1"
)

// reasonsPage is the address of docs/troubleshooting.md. Who serves it elsewhere builds with -ldflags '-X
// debugsession.dev/operator/internal/dbgcli/story.reasonsPage=URL'.
var reasonsPage = "https://debugsession.dev/operator/docs/troubleshooting.md"

// unremarkable are reasons that need no explanation, or that Next explains.
var unremarkable = []string{
	v1alpha1.ReasonAdmitted, v1alpha1.ReasonTargetChosen, v1alpha1.ReasonStarting, v1alpha1.ReasonRunning, v1alpha1.ReasonExited,
	v1alpha1.ReasonArmed, v1alpha1.ReasonRecording, v1alpha1.ReasonRecorded, v1alpha1.ReasonArtifactsKept, v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonIdleTimeout,
	string(v1alpha1.OutcomeCompleted), string(v1alpha1.OutcomeExpired), string(v1alpha1.OutcomeTerminated),
}

// Help is the page that explains why a session does not run, or ended as it did; empty if there is nothing to explain.
func Help(session *v1alpha1.DebugSession) string {
	reason := cmp.Or(session.Status.Reason, string(Outcome(session)))
	if reason == "" || slices.Contains(unremarkable, reason) {
		return ""
	}
	return reasonsPage + "#" + strings.ToLower(reason)
}
