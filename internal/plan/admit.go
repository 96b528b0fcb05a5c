package plan

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// admit decides whether a session may start. It makes nothing: it records what will be made, and the next pass, which
// sees that recorded, makes it.
func (p *pass) admit() {
	if ask, yes := p.asked(); yes {
		p.finish(v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated), ask+" before it had started; nothing was made")
		return
	}
	if passed(p.spec().NotAfter, p.Now) {
		p.pastNotAfter()
		return
	}
	if !p.trusted() {
		return
	}
	if !p.hasFinalizer() {
		p.do(AddFinalizer{})
	}
	class := p.class()
	if class == nil {
		return
	}
	target := p.fitTarget(class)
	if target == nil {
		return
	}
	if granted := p.status().Class; granted == nil || granted.ApprovalsRequired > 0 && granted.ApprovalTimeout == nil {
		p.status().Class, p.status().Request = grant(class, p.spec()), nil // who approved it approved what was granted then
		if refusal := p.grantKeptImage(class, target); refusal != nil {
			p.reject(*refusal)
			return
		}
	}
	p.status().Class.Allows = lessened(p.status().Class.Allows, class)
	if p.status().Class.ApprovalsRequired > 0 && !p.permitted(target) {
		return
	}
	if p.canJoin(target) && p.mayUse() && p.nameIsFree() && p.hasRoom(class) {
		p.pin(target)
	}
}

// nameIsFree says whether no pod has the name that the session has chosen for its copy. A pod that is there before the copy can
// be made is not the copy, whatever somebody has written into its metadata.
func (p *pass) nameIsFree() bool {
	name := chosenName(p.spec())
	if name == "" {
		return true // one that is made of the session's UID is nobody else's
	}
	switch p.Made.state {
	case unasked:
		p.ask(ReadMade{Name: name, Fresh: true})
	case found:
		p.reject(*NameTaken(name))
	case absent:
		return true
	case unknown:
		p.unreadable(fmt.Sprintf("pod %q", name), p.Made.err)
	case awaited:
	}
	return false
}

// fitTarget is what to debug if it can be debugged, or nil; then what is awaited, or the end, is in the plan.
func (p *pass) fitTarget(class *v1alpha1.DebugClass) *subject {
	if p.spec().Mode == v1alpha1.ModeNode {
		return p.fitNode()
	}
	if refusal := checkSelector(&p.spec().Target); refusal != nil {
		p.reject(*refusal)
		return nil
	}
	target := p.target()
	if target == nil {
		return nil
	}
	if recorded := p.status().Target; recorded != nil && recorded.PodUID != "" && recorded.PodUID != target.UID {
		p.finish(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), replaced(recorded, target))
		return nil
	}
	refusal := checkPodLabels(class, target)
	if refusal == nil {
		refusal = checkTarget(p.spec(), target)
	}
	if refusal != nil {
		p.reject(*refusal)
		return nil
	}
	if !p.isNobodysCopy(target) {
		return nil
	}
	if target.Spec.NodeName == "" && p.spec().Mode == v1alpha1.ModeEphemeralContainer {
		p.await(v1alpha1.ReasonTargetNotPlaced, fmt.Sprintf("pod %q is not on a node yet", target.Name))
		return nil
	}
	if !p.worthWaiting(target) {
		return nil
	}
	return &subject{pod: target}
}

// target is the pod to debug, or nil if the session has to wait for it or cannot have it; then that is in the plan.
func (p *pass) target() *corev1.Pod {
	name := p.spec().Target.PodName
	if name == "" && p.status().Target != nil {
		name = p.status().Target.PodName
	}
	if name == "" {
		p.chooseTarget()
		return nil
	}
	switch p.Target.state {
	case unasked:
		p.ask(ReadTarget{Name: name})
	case found:
		return p.Target.value
	case absent:
		if recorded := p.status().Target; recorded != nil && recorded.PodUID != "" {
			p.finish(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("pod %q is gone; nothing was made", name))
			return nil
		}
		if p.status().Target != nil && p.spec().Target.PodName == "" {
			p.status().Target = nil // the chosen pod went before it was recorded: choose again
		}
		p.await(v1alpha1.ReasonTargetNotFound, fmt.Sprintf("there is no pod %q in namespace %q", name, p.Session.Namespace))
	case unknown:
		p.unreadable(fmt.Sprintf("pod %q", name), p.Target.err)
	case awaited:
	}
	return nil
}

// chooseTarget writes down which of the candidates is to be debugged. The next pass watches it.
func (p *pass) chooseTarget() {
	switch p.Candidates.state {
	case unasked:
		p.ask(ListCandidates{})
	case unknown:
		p.unreadable("the pods of spec.target", p.Candidates.err)
	case absent:
		p.awaitUnwatched(fmt.Sprintf("there is no %s in namespace %q", selected(&p.spec().Target), p.Session.Namespace))
	case found:
		pod, why := choose(&p.spec().Target, p.spec().Mode, p.Candidates.value)
		if pod == nil {
			p.awaitUnwatched(unsuitable(&p.spec().Target, len(p.Candidates.value)))
			return
		}
		p.status().Target = podNamed(pod.Name)
		p.status().Target.Choice = why
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionUnknown, v1alpha1.ReasonTargetChosen, "chosen: "+why)
		p.stand(v1alpha1.PhasePending, v1alpha1.ReasonTargetChosen, "chosen: "+why)
	case awaited:
	}
}

// awaitUnwatched looks again from time to time: there is no single pod to watch.
func (p *pass) awaitUnwatched(message string) {
	p.await(v1alpha1.ReasonTargetNotFound, message)
	if p.status().Phase != v1alpha1.PhaseEnded {
		p.wake(p.Now.Add(recheck))
	}
}

// selected is what is missing when there are no candidates at all.
func selected(target *v1alpha1.Target) string {
	if target.Workload == nil {
		return "pod that spec.target.selector selects"
	}
	return fmt.Sprintf("%s %q", target.Workload.Kind, target.Workload.Name)
}

// await records what a session waits for, until it has waited too long.
func (p *pass) await(reason, message string) {
	until := p.waiting().Add(StartTimeout)
	if !p.Now.Before(until) {
		waited := fmt.Sprintf("%s; waited %s for it; apply a new session", message, v1alpha1.FormatDuration(StartTimeout))
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionFalse, reason, waited)
		p.finish(v1alpha1.OutcomeTimedOut, string(v1alpha1.OutcomeTimedOut), waited)
		return
	}
	if target := &p.spec().Target; p.status().Target == nil {
		switch {
		case target.PodName != "":
			p.status().Target = podNamed(target.PodName)
		case target.NodeName != "":
			p.status().Target = nodeNamed(target.NodeName, "")
		}
	}
	waits := fmt.Sprintf("%s; waiting for it until %s", message, clock(until))
	if reason == v1alpha1.ReasonTargetNotStarted || reason == v1alpha1.ReasonTargetNotRunning {
		p.warnAnew(v1alpha1.ConditionAdmissible, reason, waits)
	} else {
		p.warnOnce(v1alpha1.ConditionAdmissible, reason, waits)
	}
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionFalse, reason, waits)
	p.stand(v1alpha1.PhasePending, reason, waits)
	p.wake(until)
	if at := p.spec().NotAfter; at != nil {
		p.wake(at.Time)
	}
}

// waiting is since when the session has waited without a break.
func (p *pass) waiting() time.Time {
	since := meta.FindStatusCondition(p.Session.Status.Conditions, v1alpha1.ConditionAdmissible)
	if since == nil || since.Status != metav1.ConditionFalse {
		return p.Now
	}
	return since.LastTransitionTime.Time
}

// unreadable records that something could not be read: the session waits, and nothing is concluded from it. Only an error
// that is a Refusal will be the same however often one reads.
func (p *pass) unreadable(what string, err error) {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		p.reject(*refusal)
		return
	}
	p.stall(v1alpha1.ReasonUnreadable, fmt.Sprintf("%s cannot be read: %v", what, err), fmt.Errorf("reading %s: %w", what, err))
}

// stall has a session wait for what the operator could not do, and tries it again.
func (p *pass) stall(reason, message string, err error) {
	p.warnOnce(v1alpha1.ConditionAdmissible, reason, message)
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionUnknown, reason, message)
	p.stand(v1alpha1.PhasePending, reason, message)
	p.plan.Retry = err
}

// reject ends a session that can never run as it is written.
func (p *pass) reject(refusal Refusal) {
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionFalse, refusal.Reason, refusal.Message)
	p.finish(v1alpha1.OutcomeRejected, refusal.Reason, refusal.Message)
}

// pin records what will be made, for whom, and by when it will be over.
func (p *pass) pin(target *subject) {
	status, life := p.status(), begin(p.spec(), p.status().Class, p.Now, p.targetDeadline(target.pod))
	if !life.hard.After(life.started) && p.targetDeadline(target.pod) != nil {
		p.reject(overdue(target.pod))
		return
	}
	if lasts, ok := p.stillApproved(); ok {
		life.expires = life.until(expiry(p.spec(), life.started, min(lasts, p.ttl())))
	}
	p.record(target, life)

	// Built once here, only to see whether it can be, and whether it is what was approved.
	action, err := p.buildApproved(target, status)
	if err != nil {
		p.unpin()
		p.cannotBuild(err)
		return
	}
	if !p.warn(target, action) {
		return
	}
	status.Access = &v1alpha1.AccessStatus{Name: debugpod.AccessName(p.Session.UID), Subjects: subjects(p.spec())}
	p.admitted()
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, beingMade)
	p.stand(v1alpha1.PhaseStarting, v1alpha1.ReasonStarting, beingMade)
}

// admitted says what may be debugged, and until when: again whenever the end moves.
func (p *pass) admitted() {
	target, what, uid := p.status().Target, "pod", p.status().Target.PodUID
	name := target.PodName
	if target.NodeUID != "" {
		what, name, uid = "node", target.NodeName, target.NodeUID
	}
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionTrue, v1alpha1.ReasonAdmitted,
		fmt.Sprintf("%s %q (%s) may be debugged until %s%s", what, name, uid, clock(p.status().ExpiresAt.Time), p.becauseOfTarget()))
}

// record writes down what is debugged, the debugger's names and the times.
func (p *pass) record(target *subject, life lifetime) {
	status := p.status()
	choice := ""
	if status.Target != nil {
		choice = status.Target.Choice
	}
	status.Target = target.status()
	status.Target.Choice, status.Target.Deadline = choice, p.targetDeadline(target.pod)
	status.Debugger = &v1alpha1.DebuggerStatus{ContainerName: debugpod.DebuggerName(p.Session, target.pod)}
	switch p.spec().Mode {
	case v1alpha1.ModePodCopy:
		status.Debugger.PodName = copyName(p.Session, target.pod.Name)
		if debugpod.UsesOperatorImage(p.spec()) {
			status.Debugger.OperatorImage = p.OperatorImage
		}
	case v1alpha1.ModeNode:
		status.Debugger.PodName = debugpod.NodePodName(target.node.Name, p.Session.UID)
	default:
		status.Target.Container = targetContainer(&p.spec().Target, target.pod)
		status.Debugger.PodName, status.Debugger.PodUID = target.pod.Name, target.pod.UID
		if !p.unstoppable() {
			status.Debugger.Deadline = timestamp(life.expires)
		}
		for _, path := range debugpod.MountsLeftOut(p.spec(), target.pod) {
			status.Debugger.MountsLeftOut = append(status.Debugger.MountsLeftOut, sanitizeMessage(path))
		}
	}
	status.StartedAt, status.ExpiresAt = timestamp(life.started), timestamp(life.expires)
	if !p.unstoppable() {
		status.HardDeadline = timestamp(life.hard)
	}
}

func (p *pass) unpin() {
	status := p.status()
	status.Debugger, status.StartedAt, status.ExpiresAt, status.HardDeadline = nil, nil, nil, nil
}

// subjects is who gets access: the requester, unless the session names others.
func subjects(spec *v1alpha1.DebugSessionSpec) []v1alpha1.Subject {
	if spec.Access != nil {
		return spec.Access.Subjects
	}
	return []v1alpha1.Subject{user(spec.Requester)}
}

func copyName(session *v1alpha1.DebugSession, target string) string {
	return cmp.Or(chosenName(&session.Spec), debugpod.CopyName(target, session.UID))
}

// chosenName is the name that the session has chosen for its copy; empty if it has not.
func chosenName(spec *v1alpha1.DebugSessionSpec) string {
	if spec.PodCopy == nil {
		return ""
	}
	return spec.PodCopy.Name
}
