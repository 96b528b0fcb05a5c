package plan

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/plaintext"
)

// runningGates carry on a session that was admitted: they make its debugger, follow it, and see when it is over.
var runningGates = []gate{
	(*pass).statusComplete,
	(*pass).madePodSeen,
	(*pass).notAskedToEnd,
	(*pass).stillApproved,
	(*pass).endFollowed,
	(*pass).notExpired,
	(*pass).notRevoked,
	(*pass).endWarned,
	(*pass).finalizerKept,
	(*pass).debugging,
}

// madePodSeen records which pod was made, before the session's end may be: it is written down with that, as the pod is gone afterwards.
func (p *pass) madePodSeen() step {
	debugger := p.status().Debugger
	switch {
	case !makesPod(p.spec()) || debugger == nil || debugger.PodName == "" || debugger.PodUID != "":
	case p.DebuggerPod.state == unasked:
		return ask{ReadDebuggerPod{Name: debugger.PodName}}
	case p.DebuggerPod.state == found && p.isMade(p.DebuggerPod.value):
		debugger.PodUID = p.DebuggerPod.value.UID
	}
	return nil
}

func (p *pass) notAskedToEnd() step {
	if how, yes := p.endAsked(); yes {
		return p.end(v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated), how)
	}
	return nil
}

// endFollowed moves the session's end to where ttl, notAfter, the approvals and the target have it.
func (p *pass) endFollowed() step {
	switch {
	case p.approvalsUnknown || p.revoked != "":
	case p.isMember():
		p.follow(p.notPastTarget(notAfter(p.spec(), memberEnd(p.parent, p.status().StartedAt.Time))))
	case p.spec().Target.Times() > 0:
		p.status().Armed.TTL = &v1alpha1.Duration{Duration: min(p.lasts, p.ttl())}
	case p.spec().HasMembers():
		p.moveEnd(expiry(p.spec(), p.status().StartedAt.Time, min(p.lasts, p.ttl())))
	default:
		p.follow(p.notPastTarget(expiry(p.spec(), p.status().StartedAt.Time, min(p.lasts, p.ttl()))))
	}
	return nil
}

func (p *pass) notExpired() step {
	end := p.status().ExpiresAt
	if passed(end, p.Now) {
		return p.expire()
	}
	p.wake(end.Time)
	return nil
}

// finalizerKept puts the finalizer back if somebody took it away, or if adding it failed: nothing is made without it.
func (p *pass) finalizerKept() step {
	if p.approvalsUnknown || p.hasFinalizer() {
		return nil
	}
	p.do(AddFinalizer{})
	return pause{}
}

// debugging makes the debugger that is recorded, or follows the one that was made.
func (p *pass) debugging() step {
	return p.mode().track(p)
}

// pinnedPod is the pod that was recorded, and no other of its name.
func (p *pass) pinnedPod() (*debugTarget, step) {
	recorded := p.status().Target
	pod, stop := need(p.Target, ReadTarget{Name: recorded.PodName}, nil, retryReading(fmt.Sprintf("pod %q", recorded.PodName)))
	switch {
	case stop != nil:
		return nil, stop
	case pod == nil:
		return nil, p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("pod %q is gone", recorded.PodName))
	case pod.UID != recorded.PodUID && !p.Target.fresh:
		return nil, ask{ReadTarget{Name: recorded.PodName, Fresh: true}}
	case pod.UID != recorded.PodUID:
		return nil, p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), replaced(recorded, pod))
	default:
		return &debugTarget{pod: pod}, nil
	}
}

// hasFinished reports whether nothing runs in a pod any more, nor will.
func hasFinished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// make plans the debugger that the status records. Only what an earlier pass persisted is made.
func (p *pass) make(target *debugTarget) step {
	if p.approvalsUnknown {
		return pause{}
	}
	if stop := p.heldUp(target); stop != nil {
		return stop
	}
	if why := p.lacksStore(); why != "" { // there was one when the session was admitted
		return waitStarting{v1alpha1.ReasonNoAuditStore, why}
	}
	action, err := p.buildApproved(target, &p.Session.Status)
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return p.end(v1alpha1.OutcomeRejected, refusal.Reason, refusal.Message)
	case err != nil:
		return retryMaking{fmt.Errorf("building the debugger: %w", err)}
	}
	if debugpod.Isolates(p.spec()) {
		p.do(CreateNetworkPolicy{Policy: debugpod.Isolation(p.Session)})
	}
	p.do(action)
	p.wake(startBy(p.status()))
	return nil
}

func (p *pass) tooLate() bool { return !p.Now.Before(startBy(p.status())) }

// track follows the debugger's container, in whichever pod it is.
func (p *pass) track(c container, pod *corev1.Pod) step {
	c = c.steady()
	status := p.status()
	again := p.madeAgain(c)
	if !again && (c.state == v1alpha1.DebuggerRunning || c.ended != nil) {
		c.record(status.Debugger)
	}
	switch {
	case again:
		return p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf(
			"somebody removed container %q from node %q; the kubelet recreates it, and it is stopped as soon as it runs", status.Debugger.ContainerName, pod.Spec.NodeName))
	case c.ended != nil:
		return p.trackEnded(c, pod)
	case c.state == v1alpha1.DebuggerRunning:
		return p.activate(pod)
	case !makesPod(p.spec()) && p.mayRun(c): // it is waited for what its node says next
		return pause{}
	default:
		return p.starting(c, pod)
	}
}

// trackEnded finds out what has ended the debugger's container.
func (p *pass) trackEnded(c container, pod *corev1.Pod) step {
	switch {
	case c.neverRan():
		return p.couldNotStart(c, pod)
	case endedAt(p.status().ExpiresAt, p.status().Debugger):
		return p.expire()
	case p.idled():
		return p.end(v1alpha1.OutcomeExpired, v1alpha1.ReasonIdleTimeout, fmt.Sprintf(
			"the debugger was idle for %s (idleTimeout)", v1alpha1.FormatDuration(p.status().Class.IdleTimeout.Duration)))
	}
	if stop := p.mode().endedBy(p, c, pod); stop != nil {
		return stop
	}
	return p.completed(c, pod)
}

// starting says what the container waits for.
func (p *pass) starting(c container, pod *corev1.Pod) step {
	held := p.heldByTarget(c, pod)
	switch {
	case held != nil && held.gone:
		return beginEnding{v1alpha1.OutcomeTargetGone, held.reason, held.message}
	case p.tooLate():
		return p.startTimedOut(c, pod, held)
	case held != nil:
		return waitStarting{held.reason, fmt.Sprintf("container %q in pod %q is waiting: %s", p.status().Debugger.ContainerName, pod.Name, held.message)}
	}
	p.wake(startBy(p.status()))
	if c.troubled() {
		trouble := p.trouble(c, pod)
		p.obstruct(c.reason, trouble)
		message := trouble + triedUntil + plaintext.Clock(startBy(p.status()))
		p.warnOnce(v1alpha1.ConditionDebuggerReady, c.reason, message)
		p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, c.reason, message)
		p.stand(v1alpha1.PhaseStarting, c.reason, message)
		return nil
	}
	p.slow(pod)
	// Here rather than when it runs: the API server takes longer to check what is given than most kubelets to start a container.
	return p.accessGranted()
}

// slow says what may hold up a debugger of which nobody says anything.
func (p *pass) slow(pod *corev1.Pod) {
	since := p.status().StartedAt.Add(slowStart)
	if p.Now.Before(since) {
		p.wake(since)
		return
	}
	message := fmt.Sprintf("container %q in pod %q has been starting for more than %s%s",
		p.status().Debugger.ContainerName, pod.Name, v1alpha1.FormatDuration(slowStart), diagnosis.StartupHint(p.spec(), pod))
	p.obstruct(v1alpha1.ReasonNotStarted, message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, message)
	p.stand(v1alpha1.PhaseStarting, v1alpha1.ReasonStarting, message)
}

func (p *pass) startTimedOut(c container, pod *corev1.Pod, held *holdup) step {
	reason, why := v1alpha1.ReasonNotStarted, "it was not running after "+v1alpha1.FormatDuration(StartTimeout)+diagnosis.StartupHint(p.spec(), pod)
	switch {
	case held != nil:
		reason, why = held.reason, held.message
	case c.troubled():
		reason, why = c.reason, fmt.Sprintf("%s: %s; %s", c.reason, c.message, diagnosis.StartRemedy(p.spec(), c.reason, c.message))
	}
	p.obstruct(reason, why)
	return beginEnding{v1alpha1.OutcomeNotStarted, reason, "the debugger did not start in time: " + why}
}

// activate records that one can attach.
func (p *pass) activate(pod *corev1.Pod) step {
	if p.approvalsUnknown {
		return nil
	}
	status := p.status()
	if stop := p.accessGranted(); stop != nil {
		return stop
	}
	if p.mustBeTold() {
		p.do(MoveDeadline{
			Pod: p.podName(pod.Name), Container: status.Debugger.ContainerName,
			To: p.pendingDeadline, Command: debugpod.MoveDeadline(p.pendingDeadline),
		})
	}
	stdin, tty := p.interactive(pod)
	status.Attach = attach(p.Session.Namespace, status.Debugger, stdin, tty)
	message := fmt.Sprintf("container %q runs in pod %q%s", status.Debugger.ContainerName, status.Debugger.PodName, p.sleepless(pod))
	blind := p.blindToTarget(pod)
	message += blind + p.recordedNote()
	if p.unstoppable() {
		message += "; it is unstoppable: it runs until it exits or its pod is deleted"
	}
	if p.Session.Status.Phase != v1alpha1.PhaseActive {
		if blind != "" {
			p.event(corev1.EventTypeWarning, v1alpha1.ReasonOtherUser, "the debugger runs, but "+strings.TrimPrefix(blind, "; "))
		}
		p.event(corev1.EventTypeNormal, string(v1alpha1.PhaseActive),
			fmt.Sprintf("%s until %s%s; %s", message, plaintext.Clock(status.ExpiresAt.Time), p.becauseOfTarget(), status.Attach))
	}
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionTrue, v1alpha1.ReasonRunning, message)
	p.stand(v1alpha1.PhaseActive, v1alpha1.ReasonRunning, message)
	return p.artifactsFollowed()
}

// accessGranted lets those who may reach the debugger, which is made. It has, when the session is Active: what an administrator takes away of it
// since then is not given back, not by an operator that starts either, and a start asks nothing for each session that runs.
func (p *pass) accessGranted() step {
	if p.Session.Status.Phase == v1alpha1.PhaseActive {
		return nil
	}
	access, stop := need(p.Access, ReadAccessState{}, nil, retryReading("the state of the access"))
	if stop != nil || access == AccessGranted || p.approvalsUnknown {
		return stop
	}
	status := p.status()
	p.do(GrantAccess{
		Name: status.Access.Name, Pod: status.Debugger.PodName, Verbs: status.Class.AccessVerbs, Subjects: status.Access.Subjects,
	})
	return nil
}

// attach is the command that connects to a debugger: what it shows, if it takes no input.
func attach(namespace string, at *v1alpha1.DebuggerStatus, stdin, tty bool) string {
	verb := "logs -f"
	if stdin {
		verb = "attach -i"
		if tty {
			verb = "attach -it"
		}
	}
	return fmt.Sprintf("kubectl %s -n %s %s -c %s", verb, namespace, at.PodName, at.ContainerName)
}

// interactive reports whether the container that the session is about takes input, and whether it has a terminal.
func (p *pass) interactive(pod *corev1.Pod) (stdin, tty bool) {
	if debugpod.OnlyChanges(p.spec()) {
		for i := range pod.Spec.Containers {
			if c := &pod.Spec.Containers[i]; c.Name == p.status().Debugger.ContainerName {
				return c.Stdin, c.TTY
			}
		}
	}
	return p.spec().Debugger.Stdin, p.spec().Debugger.TTY
}

func (p *pass) podName(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Session.Namespace, Name: name}
}

func replaced(recorded *v1alpha1.TargetStatus, now *corev1.Pod) string {
	return fmt.Sprintf("pod %q was replaced: the session is for UID %s, and the pod now has UID %s", now.Name, recorded.PodUID, now.UID)
}

func finished(pod *corev1.Pod) string {
	message := fmt.Sprintf("pod %q has finished (%s)", pod.Name, pod.Status.Phase)
	for _, more := range []string{pod.Status.Reason, pod.Status.Message} {
		if more != "" {
			message += ": " + more
		}
	}
	return message
}

// NameTaken is the refusal of a pod whose name belongs to another pod.
func NameTaken(name string) *Refusal {
	return refuse(v1alpha1.ReasonNameTaken,
		"pod %q already exists and is not this session's; it was left untouched; give the copy another name (spec.podCopy.name), or apply a new session", name)
}
