package plan

import (
	"debugsession.dev/operator/api/v1alpha1"
)

// endingGates take away what was made, the access first of all, and say Ended once the API server says that nothing is left.
var endingGates = []gate{
	(*pass).recordStored,
	(*pass).statusRepaired,
	(*pass).artifactsSettled,
	(*pass).accessRevoked,
	(*pass).debuggerGone,
}

func (p *pass) accessRevoked() step {
	access, stop := need(p.Access, ReadAccessState{}, nil, notKnownGone("the state of the access"))
	if stop == nil && access != AccessRevoked && p.status().Access != nil {
		p.do(RevokeAccess{Name: p.status().Access.Name})
	}
	return stop
}

func (p *pass) debuggerGone() step {
	if !p.spec().HasMembers() && p.status().Debugger.PodName == "" {
		return p.completeEnding("its pod is unknown: its status was lost")
	}
	return p.mode().teardown(p)
}

// mayRun reports whether a container that has not ended runs. One that was seen to run does, although its node may say nothing of it for
// a while: an ephemeral container is never started again, so that it cannot be waiting.
func (p *pass) mayRun(c container) bool {
	return c.state == v1alpha1.DebuggerRunning || p.Session.Status.Debugger != nil && p.Session.Status.Debugger.StartedAt != nil
}

func (p *pass) recordRunning(c container) {
	if c.state == v1alpha1.DebuggerRunning && !p.madeAgain(c) {
		c.record(p.status().Debugger)
	}
}

// completeEnding ends the session with the outcome that was written down when its end began.
func (p *pass) completeEnding(nothingLeft string) step {
	if len(p.plan.Actions) > 0 { // access is only now being taken
		p.wake(p.Now)
		return pause{}
	}
	outcome, message := v1alpha1.OutcomeTerminated, nothingLeft
	if ending := p.condition(v1alpha1.ConditionEnded); ending != nil {
		outcome, message = v1alpha1.Outcome(ending.Reason), ending.Message+"; "+nothingLeft
	}
	if outcome == v1alpha1.OutcomeNotStarted && p.ran() {
		return markEnded{v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), "the debugger started just as the session expired; " + nothingLeft}
	}
	return markEnded{outcome, p.status().Reason, message}
}
