package story

import (
	"fmt"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// WarnsItself reports whether a debugger tells its terminal by itself that its end is near: an ephemeral one does, by what ends it in
// time.
func WarnsItself(session *v1alpha1.DebugSession) bool {
	return session.Spec.Mode == v1alpha1.ModeEphemeralContainer && !session.Spec.Debugger.Unstoppable
}

// EndWarnings are when the last of a session's warnings of its end was due, and when the next one is. Zero: there is none.
func EndWarnings(session *v1alpha1.DebugSession, now time.Time) (last, next time.Time) {
	if Over(session) {
		return last, next
	}
	return session.Status.EndWarnings(now)
}

// EndWarning says that a session's end is near, and what can be done about it.
func EndWarning(session *v1alpha1.DebugSession, now time.Time) string {
	expires, most := session.Status.ExpiresAt, session.Status.HardDeadline
	advice := fmt.Sprintf("kubectl dbg extend -n %s %s +30m extends it", session.Namespace, session.Name)
	if most != nil && !expires.Before(most) {
		advice = "it cannot be extended"
	}
	return fmt.Sprintf("this session ends in %s, at %s; %s", Duration(expires.Sub(now)), expires.Local().Format(time.TimeOnly), advice)
}
