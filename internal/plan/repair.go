package plan

import (
	"cmp"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// wasAdmitted reports whether a session was admitted, by what is left of its status.
func wasAdmitted(status *v1alpha1.DebugSessionStatus) bool {
	return status.StartedAt != nil || status.Phase == v1alpha1.PhaseStarting || status.Phase == v1alpha1.PhaseActive
}

const statusLost = "part of its status was lost, so what it was granted is unknown; apply a new session"

// statusComplete ends a session of whose status something is missing that every admitted session has. Nobody but the operator writes
// it, unless it was restored from somewhere, or edited by an administrator.
func (p *pass) statusComplete() step {
	s := p.status()
	if p.spec().HasMembers() {
		lost := s.Class == nil || s.Target == nil || s.Members == nil || s.StartedAt == nil || s.ExpiresAt == nil || s.HardDeadline == nil
		if lost || p.spec().Target.Times() > 0 && !p.Session.Status.IsArmed() {
			p.repair()
			return pause{}
		}
		return nil
	}
	if s.Class == nil || s.Target == nil || s.Debugger == nil || s.Access == nil || s.StartedAt == nil || s.ExpiresAt == nil ||
		s.HardDeadline == nil && !p.unstoppable() {
		p.repair()
		return pause{}
	}
	return nil
}

// statusRepaired sees that the status has what it takes to end.
func (p *pass) statusRepaired() step {
	p.repair()
	return nil
}

// repair has a session whose status is incomplete end, and fills in what that takes. Names come from the session, but for that of a
// target that was chosen.
func (p *pass) repair() {
	s := p.status()
	if p.condition(v1alpha1.ConditionEnded) == nil {
		beginEnding{v1alpha1.OutcomeFailed, v1alpha1.ReasonInvalid, statusLost}.take(p)
	}
	if s.StartedAt == nil {
		s.StartedAt = timestamp(p.Now)
	}
	if s.ExpiresAt == nil {
		s.ExpiresAt = timestamp(p.Now)
	}
	if s.Access == nil && !p.spec().HasMembers() {
		s.Access = &v1alpha1.AccessStatus{Name: debugpod.AccessName(p.Session.UID), Subjects: []v1alpha1.Subject{}}
	}
	p.mode().repair(p)
}

// lostDebugger is what can be told of a debugger of which nothing is recorded any more.
func (p *pass) lostDebugger(pod string) *v1alpha1.DebuggerStatus {
	name := cmp.Or(p.spec().Debugger.Container, debugpod.ContainerName(p.Session.UID))
	return &v1alpha1.DebuggerStatus{ContainerName: name, PodName: pod}
}
