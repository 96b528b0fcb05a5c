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

const statusLost = "part of its status was lost: what it was permitted is not known any more; apply a new session"

// statusComplete ends a session of whose status something is missing that every admitted session has. Nobody but the operator writes
// it, unless it was restored from somewhere, or edited by an administrator.
func (p *pass) statusComplete() step {
	s := p.status()
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
	s, spec := p.status(), p.spec()
	if p.condition(v1alpha1.ConditionEnded) == nil {
		beginEnding{v1alpha1.OutcomeFailed, v1alpha1.ReasonInvalid, statusLost}.take(p)
	}
	if s.StartedAt == nil {
		s.StartedAt = timestamp(p.Now)
	}
	if s.ExpiresAt == nil {
		s.ExpiresAt = timestamp(p.Now)
	}
	if s.Access == nil {
		s.Access = &v1alpha1.AccessStatus{Name: debugpod.AccessName(p.Session.UID), Subjects: []v1alpha1.Subject{}}
	}
	if s.Target == nil {
		s.Target = podNamed(spec.Target.PodName)
		switch {
		case spec.Mode == v1alpha1.ModeNode:
			s.Target = nodeNamed(spec.Target.NodeName, "")
		case spec.Mode == v1alpha1.ModeEphemeralContainer && s.Debugger != nil:
			s.Target = &v1alpha1.TargetStatus{Name: s.Debugger.PodName, PodName: s.Debugger.PodName, PodUID: s.Debugger.PodUID}
		}
	}
	if s.Debugger != nil {
		return
	}
	s.Debugger = &v1alpha1.DebuggerStatus{ContainerName: cmp.Or(spec.Debugger.Container, debugpod.ContainerName(p.Session.UID)), PodName: s.Target.PodName}
	switch {
	case spec.Mode == v1alpha1.ModeNode:
		s.Debugger.PodName = debugpod.NodePodName(s.Target.NodeName, p.Session.UID)
	case spec.Mode == v1alpha1.ModePodCopy && (s.Target.PodName != "" || chosenName(spec) != ""):
		s.Debugger.PodName = copyName(p.Session, s.Target.PodName)
	}
}
