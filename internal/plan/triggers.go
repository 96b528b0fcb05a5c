package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// A session with target.when.times is armed until it has been triggered so often. At each trigger it records a member, which a later pass makes
// (mode_members.go). Its own time is that of notAfter; each member lasts for ttl from its own start.

// firstTriggered has an armed session run, with its first member recorded.
func (p *pass) firstTriggered(found *incident) step {
	if stop := p.mayBeTriggered(); stop != nil {
		return stop
	}
	status := p.status()
	until := timestamp(p.spec().NotAfter.Time)
	status.StartedAt, status.ExpiresAt, status.HardDeadline = timestamp(p.Now), until, until.DeepCopy()
	status.Armed.TTL = &v1alpha1.Duration{Duration: p.startsWith()}
	p.planEndWarning()
	p.beginReview()
	p.triggered(found)
	p.warnOfNoTranscript()
	p.admitted()
	status.Obstacle = nil
	const creating = "creating a session for the pod"
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, creating)
	p.stand(v1alpha1.PhaseStarting, v1alpha1.ReasonStarting, creating)
	return nil
}

// mayBeTriggered asks of the session what is asked right before each start: of its approvals the API server itself, as a watch may not have seen
// yet that one was taken back. Its member is asked the rest.
func (p *pass) mayBeTriggered() step {
	if p.status().Class.ApprovalsRequired > 0 && !p.Approvals.fresh {
		return ask{ReadApprovals{Fresh: true}}
	}
	return p.requesterMayDeclareEmergency()
}

// nextTrigger looks whether what the session waits for has happened once more, and records the member that is made for it then. It returns nil
// if it waits for no more.
func (p *pass) nextTrigger() (*survey, step) {
	status := p.status()
	if len(status.Members) >= int(p.spec().Target.Times()) {
		return nil, nil
	}
	why, stop := p.forbiddenByClass(nil, retryReading)
	switch {
	case stop != nil:
		return nil, stop
	case why != "":
		return &survey{over: why}, nil
	}
	if _, stop := need(p.Watched, WatchPods{Selector: status.Armed.Selector}, pause{}, retryReading("the pods of spec.target")); stop != nil {
		return nil, stop
	}
	seen := p.survey()
	if seen.first == nil || p.approvalsUnknown {
		return &seen, nil
	}
	switch stop := p.mayBeTriggered().(type) {
	case nil:
	case reject:
		return nil, p.end(v1alpha1.OutcomeRejected, stop.refusal.Reason, stop.refusal.Message)
	case stall:
		return nil, retry{stop.err}
	default:
		return nil, stop
	}
	p.triggered(seen.first)
	if len(status.Members) == int(p.spec().Target.Times()) {
		return nil, nil
	}
	return &seen, nil
}

// triggered records what a pod did, and the member that is made for it.
func (p *pass) triggered(found *incident) {
	status, times := p.status(), p.spec().Target.Times()
	number := int32(len(status.Members)) + 1 // 20 at most
	what := sanitizeMessage(found.what)
	seen := timestamp(p.Now)
	status.Members = append(status.Members, v1alpha1.MemberStatus{
		Name: memberName(p.Session, found.pod.UID, number), PodName: found.pod.Name, PodUID: found.pod.UID,
		Number: number, Trigger: beginningOf(what), TriggeredAt: timestamp(later(found.at, seen)),
	})
	status.Armed.TriggeredAt = seen
	status.Target.Name = sanitizeText(fmt.Sprintf("%s (%d of %d)", watchedName(&p.spec().Target), number, times), maxText)
	status.Target.Choice = what
	p.countMembers()
	p.event(corev1.EventTypeWarning, v1alpha1.ReasonTriggered, fmt.Sprintf("trigger %d of %d: %s", number, times, found.what))
}

// standArmed has a session wait for its next trigger while no debugger runs.
func (p *pass) standArmed(seen survey) {
	message := p.awaiting(seen) + "; ended: " + p.tally()
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonArmed, message)
	p.stand(v1alpha1.PhaseActive, v1alpha1.ReasonArmed, message)
}

// howOften says how often a session was triggered, of how often it might have been; empty of any other.
func (p *pass) howOften() string {
	times := p.spec().Target.Times()
	if times == 0 {
		return ""
	}
	return fmt.Sprintf("; it was triggered %d of %d times", len(p.status().Members), times)
}
