package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// runningGates carry on a session that was admitted: they make its debugger, follow it, and see when it is over.
var runningGates = []gate{
	(*pass).statusComplete,
	(*pass).notAskedToEnd,
	(*pass).stillApproved,
	(*pass).endFollowed,
	(*pass).notExpired,
	(*pass).notRevoked,
	(*pass).finalizerKept,
	(*pass).debugging,
}

func (p *pass) notAskedToEnd() step {
	if how, yes := p.endAsked(); yes {
		return p.end(v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated), how)
	}
	return nil
}

// endFollowed moves the session's end to where ttl, notAfter, the approvals and the target have it.
func (p *pass) endFollowed() step {
	if !p.approvalsUnknown && p.revoked == "" {
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
	if makesPod(p.spec()) {
		return p.runMade()
	}
	return p.runEphemeral()
}

func (p *pass) runEphemeral() step {
	target, stop := p.pinnedPod()
	if stop != nil {
		return stop
	}
	p.followTarget(target)
	c, injected := readEphemeral(target, p.status().Debugger.ContainerName)
	switch {
	case injected:
		return p.track(c, target)
	case target.DeletionTimestamp != nil:
		return p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetTerminating, fmt.Sprintf("pod %q is being deleted", target.Name))
	case p.tooLate(): // started as late as this, a debugger would end itself
		return p.notMade("the debugger")
	default:
		return p.make(&debugTarget{pod: target})
	}
}

func (p *pass) runMade() step {
	name, uid := p.status().Debugger.PodName, p.status().Debugger.PodUID
	pod, stop := need(p.Made, ReadMade{Name: name}, nil, retryReading(fmt.Sprintf("pod %q", name)))
	switch {
	case stop != nil:
		return stop
	case pod != nil && p.isMade(pod):
		return p.trackMade(pod)
	case pod != nil && uid != "":
		return p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf("somebody deleted the %s %q, and another pod has its name", p.own(), name))
	case pod != nil:
		taken := NameTaken(pod.Name)
		return p.end(v1alpha1.OutcomeRejected, taken.Reason, taken.Message)
	case uid != "" && !p.Made.fresh: // a cache may not have seen yet what was created
		return ask{ReadMade{Name: name, Fresh: true}}
	case uid != "":
		return p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf("somebody deleted the %s %q", p.own(), name))
	case p.tooLate():
		return p.notMade("the " + p.own())
	}
	target, stop := p.pinnedTarget()
	if stop != nil {
		return stop
	}
	return p.make(target)
}

// pinnedTarget is what was recorded as the target, and nothing else of its name.
func (p *pass) pinnedTarget() (*debugTarget, step) {
	if p.spec().Mode == v1alpha1.ModeNode {
		return p.pinnedNode()
	}
	pod, stop := p.pinnedPod()
	return &debugTarget{pod: pod}, stop
}

// pinnedPod is the pod that was recorded, and no other of its name.
func (p *pass) pinnedPod() (*corev1.Pod, step) {
	recorded := p.status().Target
	pod, stop := need(p.Target, ReadTarget{Name: recorded.PodName}, nil, retryReading(fmt.Sprintf("pod %q", recorded.PodName)))
	switch {
	case stop != nil:
		return nil, stop
	case pod == nil:
		return nil, p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("pod %q is gone", recorded.PodName))
	case pod.UID != recorded.PodUID:
		return nil, p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), replaced(recorded, pod))
	case !makesPod(p.spec()) && hasFinished(pod):
		return nil, p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetFinished, finished(pod))
	default:
		return pod, nil
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
	action, err := p.buildApproved(target, &p.Session.Status)
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return p.end(v1alpha1.OutcomeRejected, refusal.Reason, refusal.Message)
	case err != nil:
		return retryMaking{fmt.Errorf("building the debugger: %w", err)}
	}
	if debugpod.Isolates(p.spec()) {
		p.do(IsolatePod{Policy: debugpod.Isolation(p.Session)})
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
			"somebody removed container %q from node %q; its kubelet makes it anew, and it is ended as soon as it runs", status.Debugger.ContainerName, pod.Spec.NodeName))
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
	}
	for _, because := range []func(container, *corev1.Pod) step{p.endedWithTarget, p.endedWithAll, p.perhapsMadeAgain} {
		if stop := because(c, pod); stop != nil {
			return stop
		}
	}
	return p.completed(c, pod)
}

// isMade reports whether the pod is the one that was made for this session. Once its UID was recorded that alone decides. Until
// then it takes more than what whoever may patch a pod can write into it: nobody can add a container to a pod, and the name
// of one that a session adds is no other pod's.
// Deleting a session with --cascade=orphan takes the owner reference away, perhaps before the UID was seen: then the label
// has to do, on a pod that nothing else controls and that has a name made of the session's UID.
func (p *pass) isMade(pod *corev1.Pod) bool {
	if uid := p.status().Debugger.PodUID; uid != "" {
		return pod.UID == uid
	}
	orphaned := p.Session.DeletionTimestamp != nil && metav1.GetControllerOf(pod) == nil &&
		pod.Labels[v1alpha1.LabelSessionUID] == string(p.Session.UID)
	return (orphaned || debugpod.OwnedBy(pod, p.Session)) &&
		(!debugpod.AddsContainer(p.spec()) || slices.Contains(debugpod.ContainerNames(pod), p.status().Debugger.ContainerName))
}

func (p *pass) trackMade(pod *corev1.Pod) step {
	p.status().Debugger.PodUID = pod.UID
	if p.Made.fresh { // the cache does not show it, and will not tell: somebody may have taken its label
		p.wake(p.Now.Add(recheck))
	}
	c := readMade(pod, p.status().Debugger.ContainerName)
	if stop := p.trackInMade(c, pod); stop != nil {
		return stop
	}
	return p.originalReplaced(c)
}

func (p *pass) trackInMade(c container, pod *corev1.Pod) step {
	failed := pod.Status.Phase == corev1.PodFailed
	switch {
	case pod.DeletionTimestamp != nil:
		c.record(p.status().Debugger)
		return p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf("somebody deleted the %s %q", p.own(), pod.Name))
	case failed && pod.Status.Reason == "DeadlineExceeded":
		p.status().Debugger.StoppedBy = v1alpha1.StoppedByHardDeadline
		return p.end(v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), "the kubelet ended the "+p.own()+" at its hard deadline")
	case failed && (c.ended == nil || pod.Status.Reason != ""): // evicted, refused by its node
		return p.end(v1alpha1.OutcomeFailed, v1alpha1.ReasonGone, finished(pod))
	case debugpod.OnlyChanges(p.spec()):
		return p.trackChanged(c, pod)
	default:
		return p.track(c, pod)
	}
}

// trackChanged follows a copy that was made only to be changed. Its containers end and start again as they do in the
// target: what they do is what is to be seen, and the session goes on until the copy has finished.
func (p *pass) trackChanged(c container, pod *corev1.Pod) step {
	switch {
	case hasFinished(pod):
		c.record(p.status().Debugger)
		if c.killedForMemory() {
			return p.end(v1alpha1.OutcomeFailed, outOfMemory, finished(pod)+"; "+p.lostForMemory(c, pod))
		}
		return p.end(v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited, finished(pod))
	case p.status().Phase == v1alpha1.PhaseActive:
		return p.activate(pod) // not every restart is worth a write
	case c.ended != nil && !c.neverRan():
		c.record(p.status().Debugger)
		return p.activate(pod)
	default:
		return p.track(c, pod)
	}
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
		return waitStarting{held.reason, fmt.Sprintf("container %q was added to it; %s", p.status().Debugger.ContainerName, held.message)}
	}
	p.wake(startBy(p.status()))
	if c.troubled() {
		message := p.trouble(c, pod) + triedUntil + clock(startBy(p.status()))
		p.warnOnce(v1alpha1.ConditionDebuggerReady, c.reason, message)
		p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, c.reason, message)
		p.stand(v1alpha1.PhaseStarting, c.reason, message)
	} else {
		p.slow(pod)
	}
	return nil
}

func (p *pass) startTimedOut(c container, pod *corev1.Pod, held *holdup) step {
	reason, why := v1alpha1.ReasonNotStarted, "it was not running after "+v1alpha1.FormatDuration(StartTimeout)+p.suspicion(pod)
	switch {
	case held != nil:
		reason, why = held.reason, held.message
	case c.troubled():
		reason, why = c.reason, fmt.Sprintf("%s: %s; %s", c.reason, c.message, c.remedy())
	}
	return beginEnding{v1alpha1.OutcomeNotStarted, reason, "the debugger did not start in time: " + why}
}

// activate records that one can attach, and lets those who may.
func (p *pass) activate(pod *corev1.Pod) step {
	if p.approvalsUnknown {
		return nil
	}
	status := p.status()
	access, stop := need(p.Access, RecallAccess{}, nil, retryReading("what was done about the access"))
	if stop != nil {
		return stop
	}
	if access != AccessGiven {
		p.do(GiveAccess{
			Name: status.Access.Name, Pod: status.Debugger.PodName,
			Verbs: status.Class.AccessVerbs, Subjects: status.Access.Subjects,
		})
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
	message += blind
	if p.unstoppable() {
		message += "; it is unstoppable: nothing can end it before its pod goes"
	}
	if p.Session.Status.Phase != v1alpha1.PhaseActive {
		if blind != "" {
			p.event(corev1.EventTypeWarning, v1alpha1.ReasonOtherUser, "the debugger runs, but "+strings.TrimPrefix(blind, "; "))
		}
		p.event(corev1.EventTypeNormal, string(v1alpha1.PhaseActive),
			fmt.Sprintf("%s until %s%s; %s", message, clock(status.ExpiresAt.Time), p.becauseOfTarget(), status.Attach))
	}
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionTrue, v1alpha1.ReasonRunning, message)
	p.stand(v1alpha1.PhaseActive, v1alpha1.ReasonRunning, message)
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
	return fmt.Sprintf("pod %q was replaced: the session was for UID %s, and the pod of that name now is %s", now.Name, recorded.PodUID, now.UID)
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
		"a pod %q that is not this session's exists, and was not touched; give the copy another name (spec.podCopy.name), or apply a new session", name)
}
