package plan

import (
	"slices"

	"debugsession.dev/operator/api/v1alpha1"
)

// Decide says what is to be done about a session, given what was read. It changes nothing it is given.
func Decide(s Snapshot) Plan {
	p := newPass(s)
	switch {
	case s.Session.Status.Phase == v1alpha1.PhaseEnded:
		p.settle()
	case s.Session.Status.Phase == v1alpha1.PhaseEnding:
		p.mend()
		p.teardown()
	case !begun(&s.Session.Status):
		p.admit()
	case p.damaged():
		p.mend()
	default:
		p.run()
	}
	if p.plan.Ask != nil {
		return Plan{Ask: p.plan.Ask}
	}
	p.summarize()
	if before := s.Session.Status.ObservedGeneration; p.Target.state == awaited && before <= 0 {
		p.plan.Status.ObservedGeneration = before // nothing was decided yet, and to say that is not worth a write
	}
	return p.plan
}

// ask ends the pass: it cannot go on without knowing.
func (p *pass) ask(q Question) { p.plan.Ask = q }

// settle lets an ended session rest. Its finalizer goes once the end has been written down, so that a record can be
// deleted at any time, by anyone who may, with or without the operator.
func (p *pass) settle() {
	if p.hasFinalizer() {
		p.do(RemoveFinalizer{})
	}
	p.retain()
}

func (p *pass) hasFinalizer() bool {
	return slices.Contains(p.Session.Finalizers, v1alpha1.Finalizer)
}

// asked says whether somebody asked for the session's end, and how to put it.
func (p *pass) asked() (ask string, yes bool) {
	switch {
	case p.Session.DeletionTimestamp != nil:
		return "the session was deleted", true
	case p.spec().End:
		return "spec.end was set to true", true
	default:
		return "", false
	}
}
