package debugsession

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// auditLog is what a log line tells of a session, so that an archive of logs is a record of its own: who asked and who
// approved, what was brought where, from when to when, and how it ended. The keys stay as they are. What is not known yet
// is left out.
func auditLog(session *v1alpha1.DebugSession) []any {
	status := &session.Status
	keys := []any{"uid", session.UID, "mode", session.Spec.Mode, "class", session.Spec.ClassName, "reason", status.Reason}
	if message := status.Message(); message != "" {
		keys = append(keys, "message", message)
	}
	if session.Spec.Requester != nil {
		keys = append(keys, "requester", session.Spec.Requester.Username)
	}
	if len(status.Approvals) > 0 {
		keys = append(keys, "approvals", decisions(status.Approvals))
	}
	if target := status.Target; target != nil {
		keys = append(keys, "targetPod", target.PodName, "targetNode", target.NodeName, "targetUID", cmp.Or(target.PodUID, target.NodeUID, target.WorkloadUID, target.ClaimUID))
	}
	if claim := session.Spec.Target.VolumeClaim; claim != nil {
		keys = append(keys, "targetClaim", claim.Name)
	}
	if image := session.Spec.Target.Image; image != "" {
		keys = append(keys, "targetImage", image)
	}
	if debugger := status.Debugger; debugger != nil {
		keys = append(keys, "debuggerPod", debugger.PodName, "debuggerContainer", debugger.ContainerName, "imageID", debugger.ImageID)
	}
	keys = append(keys, times(status)...)
	if status.Phase != v1alpha1.PhaseEnded {
		return keys
	}
	keys = append(keys, "outcome", status.Outcome)
	if debugger := status.Debugger; debugger != nil && debugger.StoppedBy != "" {
		keys = append(keys, "stoppedBy", debugger.StoppedBy)
	}
	if debugger := status.Debugger; debugger != nil && debugger.ExitCode != nil {
		keys = append(keys, "exitCode", *debugger.ExitCode)
	}
	return keys
}

// decisions are the approvals in short: who said what.
func decisions(approvals []v1alpha1.ApprovalStatus) []string {
	said := make([]string, len(approvals))
	for i := range approvals {
		said[i] = string(approvals[i].Decision) + " by " + approvals[i].By
	}
	return said
}

func times(status *v1alpha1.DebugSessionStatus) []any {
	var keys []any
	for _, moment := range []struct {
		key string
		at  *metav1.Time
	}{
		{"startedAt", status.StartedAt}, {"expiresAt", status.ExpiresAt}, {"hardDeadline", status.HardDeadline}, {"endedAt", status.EndedAt},
	} {
		if moment.at != nil {
			keys = append(keys, moment.key, moment.at.UTC().Format(time.RFC3339))
		}
	}
	return keys
}
