package debugpod

import "debugsession.dev/operator/api/v1alpha1"

// CanIdle reports whether it can be told that nobody uses a session: by the terminal of an ephemeral debugger, which ends itself.
func CanIdle(spec *v1alpha1.DebugSessionSpec) bool {
	return spec.Mode == v1alpha1.ModeEphemeralContainer && spec.Debugger.TTY && !spec.Debugger.Unstoppable
}
