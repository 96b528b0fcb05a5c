package story

import (
	"fmt"
	"slices"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// Outcome is how a session ended, or how one that is Ending will have.
func Outcome(session *v1alpha1.DebugSession) v1alpha1.Outcome { return outcomeOf(session) }

// Told reports whether a session that is over says all that its requester waits for: the outcome, and a command's exit code, which
// in a pod that is deleted is never known.
func Told(session *v1alpha1.DebugSession) bool {
	if Ended(session) {
		return true
	}
	at := session.Status.Debugger
	return Over(session) && at != nil && at.ExitCode != nil
}

// Epitaph is one sentence on how a session ended that did not end by its command.
func Epitaph(session *v1alpha1.DebugSession) string {
	line := fmt.Sprintf("session %s ended: %s", session.Name, Outcome(session))
	if message := Message(session); message != "" {
		line += ": " + message
	}
	return line
}

// Greeting tells whom one has attached to, and for how long.
func Greeting(session *v1alpha1.DebugSession, now time.Time, kept bool) string {
	line := "in " + place(session)
	if expires := session.Status.ExpiresAt; expires != nil {
		line += fmt.Sprintf(" for %s, until %s", Duration(expires.Sub(now)), expires.Local().Format(time.TimeOnly))
	}
	leave := "exit ends it"
	if kept {
		leave = "ctrl-p ctrl-q detaches"
	}
	return line + "; " + leave
}

// Recorded tells whom one has attached to that it is recorded; empty if it is not.
func Recorded(session *v1alpha1.DebugSession) string {
	if !session.Status.Transcribed() {
		return ""
	}
	return "what is printed here is recorded"
}

// Grants reports whether a session gives a kind of access.
func Grants(session *v1alpha1.DebugSession, verb v1alpha1.AccessVerb) bool {
	class := session.Status.Class
	return class != nil && slices.Contains(class.AccessVerbs, verb)
}
