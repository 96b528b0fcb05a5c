package plan

import (
	"cmp"

	"k8s.io/apimachinery/pkg/api/meta"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// begun says whether a session was admitted, by what is left of its status.
func begun(status *v1alpha1.DebugSessionStatus) bool {
	return status.StartedAt != nil || status.Phase == v1alpha1.PhaseStarting || status.Phase == v1alpha1.PhaseActive
}

// damaged says whether something is missing that the status of every admitted session has. Nobody but the operator writes
// it, unless it was restored from somewhere, or edited by an administrator.
func (p *pass) damaged() bool {
	s := p.status()
	return s.Class == nil || s.Target == nil || s.Debugger == nil || s.Access == nil || s.StartedAt == nil || s.ExpiresAt == nil ||
		s.HardDeadline == nil && !p.unstoppable()
}

const statusLost = "part of its status was lost: what it was permitted is not known any more; apply a new session"

// mend has a session whose status is damaged end, and fills in what that takes. Names come from the session, but for that of a
// target that was chosen.
func (p *pass) mend() {
	s, spec := p.status(), p.spec()
	if meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionEnded) == nil {
		p.beginEnding(v1alpha1.OutcomeFailed, v1alpha1.ReasonInvalid, statusLost)
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
