package plan

import (
	"fmt"
	"slices"

	"debugsession.dev/operator/api/v1alpha1"
)

// maxQuestions is more than Decide can ask: each question once, and some a second time for a fresh answer.
const maxQuestions = 32

// Run decides about a session: it has answer fill in the snapshot what Decide asks for, until Decide has decided. It returns the
// snapshot that the plan was made from. It fails if answer does, or if a question stays unanswered.
func Run(s Snapshot, answer func(*Snapshot, Question) error) (Snapshot, Plan, error) {
	var last Question
	for range maxQuestions {
		decided := Decide(s)
		if decided.Ask == nil {
			return s, decided, nil
		}
		last = decided.Ask
		if err := answer(&s, last); err != nil {
			return s, Plan{}, err
		}
	}
	return s, Plan{}, fmt.Errorf("the plan keeps asking %T, whatever the answer", last)
}

// Decide returns what is to be done about a session, given what was read. It changes nothing it is given.
func Decide(s Snapshot) Plan {
	p := newPass(s)
	p.through(p.gates())
	if p.plan.Ask != nil {
		return Plan{Ask: p.plan.Ask}
	}
	p.summarize()
	waits := p.Target.state == awaited || p.Watched.state == awaited || p.isMember() && p.status().Phase == ""
	if before := &s.Session.Status; waits && before.ObservedGeneration <= 0 {
		// Nothing was decided yet, and to say that is not worth a write.
		p.plan.Status.ObservedGeneration, p.plan.Status.RequesterVerifiedAt = before.ObservedGeneration, before.RequesterVerifiedAt
	}
	return p.plan
}

// gates are those of the phase that the session is in, as far as that was written down.
func (p *pass) gates() []gate {
	switch phase := p.Session.Status.Phase; {
	case phase == v1alpha1.PhaseEnded:
		return endedGates
	case phase == v1alpha1.PhaseEnding:
		return endingGates
	case wasAdmitted(&p.Session.Status):
		return runningGates
	case p.waitsForTrigger():
		return armedGates
	default:
		return pendingGates
	}
}

func (p *pass) hasFinalizer() bool {
	return slices.Contains(p.Session.Finalizers, v1alpha1.Finalizer)
}

// endAsked reports whether somebody asked for the session's end, and how to put it.
func (p *pass) endAsked() (how string, yes bool) {
	switch {
	case p.Session.DeletionTimestamp != nil:
		return "the session was deleted", true
	case p.spec().End:
		return "spec.end was set to true", true
	default:
		return "", false
	}
}
