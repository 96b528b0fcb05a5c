package request

import (
	"slices"

	"debugsession.dev/operator/api/v1alpha1"
)

// gate waits for somebody to attach before it runs a command, so that nothing that the command writes is lost: a command that is
// quick would be over before anybody can be there to read. It reads no more than one line, and leaves the rest to the command.
var gate = []string{"sh", "-c", `read -r _ && exec "$@"`, "dbg"}

// OpenGate is what lets the command run.
const OpenGate = "\n"

// Gate makes a session ready for somebody who attaches at once: a pipe's end is the command's, as in a shell, and a gate is before the
// command of a session that a person does not type into. An ephemeral debugger has a shell: it takes one to end it in time. Other
// debuggers need none, and get no gate.
func Gate(session *v1alpha1.DebugSession) {
	d := &session.Spec.Debugger
	if d.TTY {
		return
	}
	d.StdinOnce = d.StdinOnce || d.Stdin
	if session.Spec.Mode != v1alpha1.ModeEphemeralContainer || d.Unstoppable || len(d.Command) == 0 {
		return
	}
	d.Command = slices.Concat(gate, d.Command)
	d.Stdin, d.StdinOnce = true, true
}

// Gated reports whether a session's command waits for somebody to attach.
func Gated(session *v1alpha1.DebugSession) bool {
	d := &session.Spec.Debugger
	return !d.TTY && len(d.Command) > len(gate) && slices.Equal(d.Command[:len(gate)], gate)
}
