package plan

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
)

// holdup is why no debugger is made for a target yet, or never will be.
type holdup struct {
	reason, message string
	gone            bool // it is not worth waiting for
}

// joined is the target's container, in a mode whose debugger joins it; ok is false in the others.
func (p *pass) joined(pod *corev1.Pod) (t targetState, ok bool) {
	if makesPod(p.spec()) {
		return targetState{}, false
	}
	name := targetContainer(&p.spec().Target, pod)
	if recorded := p.status().Target; recorded != nil && recorded.Container != "" {
		name = recorded.Container // whatever the pod's default has become since
	}
	return readTarget(pod, name), true
}

// finishedTarget is for a container that an ephemeral debugger could join never again; nil if it is none.
func (p *pass) finishedTarget(pod *corev1.Pod) *holdup {
	t, ok := p.joined(pod)
	if !ok || t.joinable() || !t.finished() {
		return nil
	}
	return &holdup{reason: v1alpha1.ReasonTargetFinished, gone: true, message: fmt.Sprintf(
		"%s has finished (%s) and will not be restarted; name another container of its pod in spec.target.container, or use mode: PodCopy",
		t, t.ends(t.status.State.Terminated))}
}

// joinsNoMore reports whether an ephemeral debugger that does not run never will, for want of a process namespace to join.
func (p *pass) joinsNoMore(pod *corev1.Pod) bool {
	return debugpod.Joins(pod) && p.finishedTarget(pod) != nil
}

// absentTarget is for a container that an ephemeral debugger cannot join now; nil if it can. One that is injected all the same
// is tried by the kubelet until it is too late, or fails for good if the target ends as it joins.
func (p *pass) absentTarget(pod *corev1.Pod) *holdup {
	t, ok := p.joined(pod)
	if !ok || t.joinable() {
		return nil
	}
	if t.lastEnd() == nil {
		return &holdup{reason: v1alpha1.ReasonTargetNotStarted, message: t.waitsFor()}
	}
	return &holdup{reason: v1alpha1.ReasonTargetNotRunning, message: t.waitsFor() + ", and a debugger can join it only while it runs; " + t.lookInCopy()}
}

// unknownUser is for a target of which only its kubelet can tell as whom it runs, and has not yet; nil if that is known, or
// will never be.
func (p *pass) unknownUser(pod *corev1.Pod) *holdup {
	if p.spec().Debugger.RunAs != v1alpha1.RunAsFromTarget || !debugpod.UserUnknown(p.spec(), pod) || checkAlive(pod) != nil {
		return nil
	}
	t := readTarget(pod, targetContainer(&p.spec().Target, pod))
	if t.spec == nil || t.status.State.Running != nil || t.finished() {
		return nil
	}
	const why = "runAs: FromTarget needs its user and group, which are known only once it runs"
	if pod.Spec.NodeName == "" {
		return &holdup{reason: v1alpha1.ReasonTargetNotPlaced, message: notPlaced(pod) + "; " + why}
	}
	return &holdup{reason: v1alpha1.ReasonTargetNotStarted, message: t.waitsFor() + "; " + why}
}

// notPlaced says of a pod that it is on no node, and why if the scheduler has said.
func notPlaced(pod *corev1.Pod) string {
	message := fmt.Sprintf("pod %q is not scheduled yet", pod.Name)
	if c := (container{}).scheduled(pod); c.troubled() {
		message += strings.TrimSuffix(fmt.Sprintf(" (%s: %s", c.reason, c.message), ": ") + ")"
	}
	return message
}

// worthWaiting sees that what is needed to build the debugger is known of the target, or will be.
func (p *pass) worthWaiting(pod *corev1.Pod) step {
	if held := p.finishedTarget(pod); held != nil {
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionFalse, held.reason, held.message)
		return markEnded{v1alpha1.OutcomeTargetGone, held.reason, held.message}
	}
	if held := p.unknownUser(pod); held != nil {
		return p.waitForTarget(held)
	}
	return nil
}

// targetJoinable sees that the target's container runs, so that a debugger can be started beside it. It comes after approval: people
// are asked once, and not each time that the container starts.
func (p *pass) targetJoinable() step {
	if p.target.pod == nil {
		return nil
	}
	if held := p.absentTarget(p.target.pod); held != nil {
		return p.waitForTarget(held)
	}
	return nil
}

// waitForTarget waits for a pod that is watched. Of many, none is.
func (p *pass) waitForTarget(held *holdup) wait {
	return wait{reason: held.reason, message: held.message, recheck: p.spec().HasMembers()}
}

// heldByTarget is why the kubelet cannot start a debugger that was added: what it has to join. Nil if the debugger has a problem
// of its own, such as its image.
func (p *pass) heldByTarget(c container, pod *corev1.Pod) *holdup {
	if c.troubled() && !diagnosis.BlamesTarget(c.message) {
		return nil
	}
	if held := p.finishedTarget(pod); held != nil {
		return held
	}
	return p.absentTarget(pod)
}

// heldUp sees that a debugger that was permitted can be made: its target's container may have ended since.
func (p *pass) heldUp(target *debugTarget) step {
	if !target.runs() {
		return nil
	}
	for _, why := range []func(*corev1.Pod) *holdup{p.finishedTarget, p.unknownUser, p.absentTarget} {
		held := why(target.pod)
		switch {
		case held == nil:
		case held.gone:
			return beginEnding{v1alpha1.OutcomeTargetGone, held.reason, held.message}
		default:
			return waitStarting{held.reason, held.message}
		}
	}
	return nil
}

// missedTarget deals with a debugger that never ran because the target's container ended as it joined. An ephemeral container
// is never started again, so that the session is over. The kubelet may tell of the debugger first.
func (p *pass) missedTarget(c container, pod *corev1.Pod) step {
	t, ok := p.joined(pod)
	if !ok || t.spec == nil || !debugpod.Joins(pod) || strings.Contains(c.ended.Message, debugpod.MessagePrefix) {
		return nil
	}
	ended := endedWith(pod, t.status.Name, c.ended)
	blamed := diagnosis.BlamesTarget(c.ended.Message)
	switch {
	case ended == nil && !blamed, ended != nil && !blamed && diagnosis.BlamesCommand(c.ended.Message):
		return nil
	case ended == nil && t.lastEnd() != nil:
		ended = t.lastEnd()
	case ended == nil:
		const missed = "the target's container ended as the debugger joined it"
		p.obstruct(v1alpha1.ReasonExited, missed)
		if stop := p.awaitTarget(missed); stop != nil {
			return stop
		}
	}
	if held := p.finishedTarget(pod); held != nil {
		return beginEnding{v1alpha1.OutcomeTargetGone, held.reason, "the debugger never ran: " + held.message}
	}
	how := ""
	if ended != nil {
		how = fmt.Sprintf(" (%s)", t.ends(ended))
	}
	return beginEnding{v1alpha1.OutcomeNotStarted, v1alpha1.ReasonTargetRestarted, fmt.Sprintf(
		"the debugger never ran: %s ended%s as debugger %q joined it, and an ephemeral container is never restarted; %s, or apply a new session when it stays up",
		t, how, p.status().Debugger.ContainerName, t.lookInCopy())}
}
