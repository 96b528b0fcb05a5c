package debugsession

import (
	"time"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// unwrittenStatus is what a session has come to since its status was written: what follows in a moment is written with it. It is lost at
// a restart: then the session goes on from what is stored.
type unwrittenStatus struct {
	status v1alpha1.DebugSessionStatus
	after  v1alpha1.Phase // as it is stored
	since  time.Time
}

// resume has a session go on from a status that was not written: an edit that came since takes nothing of it back. It returns the status as
// it is stored.
func (r *Reconciler) resume(session *v1alpha1.DebugSession) v1alpha1.DebugSessionStatus {
	stored := session.Status
	if unwritten := r.states.get(session).unwritten; unwritten != nil && unwritten.after == stored.Phase {
		session.Status = *unwritten.status.DeepCopy()
	}
	return stored
}

// leaveUnwritten reports whether what a pass has come to is not written yet. The session then goes on with it before long.
func (r *Reconciler) leaveUnwritten(session *v1alpha1.DebugSession, stored v1alpha1.DebugSessionStatus, p *plan.Plan) bool {
	now := r.Clock.Now()
	since := now
	if before := r.states.get(session).unwritten; before != nil && before.after == stored.Phase {
		since = before.since
	}
	until := since.Add(plan.MaxUnwritten)
	asStored := *session
	asStored.Status = stored
	if !now.Before(until) || !plan.MayStayUnwritten(&asStored, *p, now) {
		return false
	}
	r.states.update(session, func(s *sessionState) {
		s.unwritten = &unwrittenStatus{status: *p.Status.DeepCopy(), after: stored.Phase, since: since}
	})
	if p.WakeAt.IsZero() || p.WakeAt.After(until) {
		p.WakeAt = until
	}
	return true
}
