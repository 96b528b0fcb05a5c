package plan

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// MaxUnwritten is for how long what a session has come to may be known to the operator alone: a kubelet takes a second or two to tell that a
// container has ended. An attempt to stop it that hangs may make it longer.
const MaxUnwritten = 3 * time.Second

// MayStayUnwritten reports whether the status that a plan has come to need not be written yet, as another follows in a moment: nothing
// failed, nobody is told of it, and an operator that knows nothing of it comes to the same.
func MayStayUnwritten(stored *v1alpha1.DebugSession, p Plan, now time.Time) bool {
	return p.Retry == nil && len(p.Events) == 0 && (onlyFound(stored, &p.Status) || endsAnyway(stored, &p.Status, now))
}

// onlyFound reports whether a session that starts has no more to say than which pod it has just made: it is found again by its owner
// and its name.
func onlyFound(stored *v1alpha1.DebugSession, status *v1alpha1.DebugSessionStatus) bool {
	before := &stored.Status
	if before.Phase != v1alpha1.PhaseStarting || before.Debugger == nil || before.Debugger.PodUID != "" || status.Debugger == nil || status.Debugger.PodUID == "" {
		return false
	}
	found := before.DeepCopy()
	found.Debugger.PodUID = status.Debugger.PodUID
	return equality.Semantic.DeepEqual(found, status)
}

// endsAnyway reports whether a session that is stored as active ends by something that is stored, too. An end is written down before
// it is carried out where it could come to something else otherwise, or where others wait for it.
func endsAnyway(stored *v1alpha1.DebugSession, status *v1alpha1.DebugSessionStatus, now time.Time) bool {
	if stored.Status.Phase != v1alpha1.PhaseActive || status.Phase != v1alpha1.PhaseEnding || endIsAwaited(stored) || debugpod.Isolates(&stored.Spec) {
		return false
	}
	return stored.DeletionTimestamp != nil || stored.Spec.End || passed(stored.Status.ExpiresAt, now) || hasExited(stored, status)
}

// endIsAwaited reports whether others have something to do when the session's phase is Ending: its members end, its record is stored, what
// its debugger wrote, or the files that it left.
func endIsAwaited(session *v1alpha1.DebugSession) bool {
	class := session.Status.Class
	return class == nil || session.Spec.HasMembers() || class.Audit == v1alpha1.AuditRequired || session.Status.Transcribed() || len(session.Spec.Debugger.Artifacts) > 0
}

// hasExited reports whether the debugger has ended, and is not started again: its pod's status says so to whoever looks.
func hasExited(session *v1alpha1.DebugSession, status *v1alpha1.DebugSessionStatus) bool {
	return !makesPod(&session.Spec) && status.Debugger != nil && status.Debugger.State == v1alpha1.DebuggerTerminated
}
