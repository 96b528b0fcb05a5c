package story

import (
	"cmp"
	"fmt"
	"strings"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
)

// Members is a line for each member of a session: its name, its pod, how it stands or ended, and why if it did not do what it was for.
func Members(session *v1alpha1.DebugSession) [][]string {
	var lines [][]string
	for i := range session.Status.Members {
		row := &session.Status.Members[i]
		stands := cmp.Or(string(row.Outcome), string(row.Phase), "Pending")
		if row.ExitCode != nil {
			stands += fmt.Sprintf(" (exit code %d)", *row.ExitCode)
		}
		said := strings.TrimSpace(row.Output)
		if said == "" && row.Outcome != v1alpha1.OutcomeCompleted && row.Phase != v1alpha1.PhaseActive {
			said = row.Message
		}
		lines = append(lines, []string{row.Name, row.PodName, stands, plaintext.Line(said)})
	}
	return lines
}

// AttachToMember says, of a session with members, to which of them one can attach; empty for any other.
func AttachToMember(session *v1alpha1.DebugSession) string {
	if !session.Spec.HasMembers() {
		return ""
	}
	var active []string
	which := "each pod of " + targetOf(session)
	if session.Spec.Target.Times() > 0 {
		which = asked(&session.Spec.Target)
	}
	for i := range session.Status.Members {
		if row := &session.Status.Members[i]; row.Phase == v1alpha1.PhaseActive {
			active = append(active, row.Name)
		}
	}
	if len(active) == 0 {
		return fmt.Sprintf("session %s debugs %s, and no debugger runs now; kubectl dbg describe %s shows how its members stand", session.Name, which, session.Name)
	}
	return fmt.Sprintf("session %s debugs %s; attach to one of its members: kubectl dbg attach %s", session.Name, which, strings.Join(active, " | "))
}

// WithoutMembers are the sessions that were asked for by somebody, and not made for another.
func WithoutMembers(sessions []v1alpha1.DebugSession) []v1alpha1.DebugSession {
	var asked []v1alpha1.DebugSession
	for i := range sessions {
		if sessions[i].Spec.MemberOf == nil {
			asked = append(asked, sessions[i])
		}
	}
	return asked
}
