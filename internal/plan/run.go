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

// run carries on a session that was admitted: it makes the debugger, follows it, and sees when it is over.
func (p *pass) run() {
	status := p.status()
	if ask, yes := p.asked(); yes {
		p.end(v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated), ask)
		return
	}
	lasts, known := p.stillApproved()
	if known {
		p.follow(p.notPastTarget(expiry(p.spec(), status.StartedAt.Time, min(lasts, p.ttl()))))
	}
	if passed(status.ExpiresAt, p.Now) {
		p.expire()
		return
	}
	p.wake(status.ExpiresAt.Time)
	if status.Phase == v1alpha1.PhaseEnding || p.plan.Ask != nil {
		return
	}
	p.withheld = !known
	if known && !p.hasFinalizer() {
		p.do(AddFinalizer{}) // somebody took it away, or adding it failed: nothing is made without it
		return
	}
	if makesPod(p.spec()) {
		p.runMade()
	} else {
		p.runEphemeral()
	}
}

func (p *pass) runEphemeral() {
	target := p.pinnedTarget()
	if target == nil {
		return
	}
	p.followTarget(target)
	c, injected := readEphemeral(target, p.status().Debugger.ContainerName)
	switch {
	case injected:
		p.track(c, target)
	case target.DeletionTimestamp != nil:
		p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetTerminating, fmt.Sprintf("pod %q is being deleted", target.Name))
	case p.tooLate(): // started as late as this, a debugger would end itself
		p.notMade("the debugger")
	default:
		p.make(&subject{pod: target})
	}
}

func (p *pass) runMade() {
	status := p.status()
	switch p.Made.state {
	case found:
		switch {
		case p.isMade(p.Made.value):
			p.trackMade(p.Made.value)
		case status.Debugger.PodUID != "":
			p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone,
				fmt.Sprintf("somebody deleted the %s %q, and another pod has its name", p.own(), status.Debugger.PodName))
		default:
			taken := NameTaken(p.Made.value.Name)
			p.end(v1alpha1.OutcomeRejected, taken.Reason, taken.Message)
		}
	case absent:
		if status.Debugger.PodUID != "" {
			if !p.Made.fresh { // a cache may not have seen yet what was created
				p.ask(ReadMade{Name: status.Debugger.PodName, Fresh: true})
				return
			}
			p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf("somebody deleted the %s %q", p.own(), status.Debugger.PodName))
			return
		}
		if p.tooLate() {
			p.notMade("the " + p.own())
			return
		}
		if target := p.pinned(); target != nil {
			p.make(target)
		}
	case unasked:
		p.ask(ReadMade{Name: status.Debugger.PodName})
	case unknown:
		p.plan.Retry = fmt.Errorf("reading pod %q: %w", status.Debugger.PodName, p.Made.err)
	case awaited:
	}
}

// pinned is what was recorded as the target.
func (p *pass) pinned() *subject {
	if p.spec().Mode == v1alpha1.ModeNode {
		return p.pinnedNode()
	}
	if pod := p.pinnedTarget(); pod != nil {
		return &subject{pod: pod}
	}
	return nil
}

// pinnedTarget is the pod that was recorded, and no other of its name. If it has gone, the plan is to end.
func (p *pass) pinnedTarget() *corev1.Pod {
	pinned := p.status().Target
	switch p.Target.state {
	case found:
		pod := p.Target.value
		if pod.UID != pinned.PodUID {
			p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), replaced(pinned, pod))
			return nil
		}
		if p.spec().Mode == v1alpha1.ModeEphemeralContainer && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed) {
			p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetFinished, finished(pod))
			return nil
		}
		return pod
	case absent:
		p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("pod %q is gone", pinned.PodName))
	case unasked:
		p.ask(ReadTarget{Name: pinned.PodName})
	case unknown:
		p.plan.Retry = fmt.Errorf("reading pod %q: %w", pinned.PodName, p.Target.err)
	case awaited:
	}
	return nil
}

// make plans the debugger that the status records. Only what an earlier pass persisted is made.
func (p *pass) make(target *subject) {
	if p.withheld || p.heldUp(target) {
		return
	}
	action, err := p.buildApproved(target, &p.Session.Status)
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		p.end(v1alpha1.OutcomeRejected, refusal.Reason, refusal.Message)
		return
	case err != nil:
		p.retryMaking(fmt.Errorf("building the debugger: %w", err))
		return
	}
	if debugpod.Isolates(p.spec()) {
		p.do(IsolatePod{Policy: debugpod.Isolation(p.Session)})
	}
	p.do(action)
	p.wake(startBy(p.status()))
}

func (p *pass) tooLate() bool { return !p.Now.Before(startBy(p.status())) }

// track follows the debugger's container, in whichever pod it is.
func (p *pass) track(c container, pod *corev1.Pod) {
	c = c.steady()
	status := p.status()
	made := p.madeAgain(c)
	if !made && (c.state == v1alpha1.DebuggerRunning || c.ended != nil) {
		c.record(status.Debugger)
	}
	switch {
	case made:
		p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf(
			"somebody removed container %q from node %q; its kubelet makes it anew, and it is ended as soon as it runs", status.Debugger.ContainerName, pod.Spec.NodeName))
	case c.neverRan() && p.missedTarget(c, pod):
	case c.neverRan():
		p.couldNotStart(c)
	case c.ended != nil && endedAt(status.ExpiresAt, status.Debugger):
		p.expire()
	case c.ended != nil && (p.goneWithTarget(c, pod) || p.restartedWithAll(c, pod)):
	case c.ended != nil && p.mayBeMadeAgain(c):
	case c.ended != nil:
		p.completed(c, pod)
	case c.state == v1alpha1.DebuggerRunning:
		p.activate(pod)
	case !makesPod(p.spec()) && p.mayRun(c): // it is waited for what its node says next
	default:
		p.starting(c, pod)
	}
}

// isMade says whether the pod is the one that was made for this session. Once its UID was recorded that alone decides. Until
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

func (p *pass) trackMade(pod *corev1.Pod) {
	p.status().Debugger.PodUID = pod.UID
	if p.Made.fresh { // the cache does not show it, and will not tell: somebody may have taken its label
		p.wake(p.Now.Add(recheck))
	}
	c := readMade(pod, p.status().Debugger.ContainerName)
	switch {
	case pod.DeletionTimestamp != nil:
		c.record(p.status().Debugger)
		p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf("somebody deleted the %s %q", p.own(), pod.Name))
	case pod.Status.Phase == corev1.PodFailed && pod.Status.Reason == "DeadlineExceeded":
		p.status().Debugger.StoppedBy = v1alpha1.StoppedByHardDeadline
		p.end(v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), "the kubelet ended the "+p.own()+" at its hard deadline")
	case pod.Status.Phase == corev1.PodFailed && (c.ended == nil || pod.Status.Reason != ""): // evicted, refused by its node
		p.end(v1alpha1.OutcomeFailed, v1alpha1.ReasonGone, finished(pod))
	case debugpod.OnlyChanges(p.spec()):
		p.trackChanged(c, pod)
	default:
		p.track(c, pod)
	}
	p.replaceOriginal(c)
}

// trackChanged follows a copy that was made only to be changed. Its containers end and start again as they do in the
// target: what they do is what is to be seen, and the session goes on until the copy has finished.
func (p *pass) trackChanged(c container, pod *corev1.Pod) {
	switch {
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		c.record(p.status().Debugger)
		if c.killedForMemory() {
			p.end(v1alpha1.OutcomeFailed, outOfMemory, finished(pod)+"; "+p.lostForMemory(c, pod))
			return
		}
		p.end(v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited, finished(pod))
	case p.status().Phase == v1alpha1.PhaseActive:
		p.activate(pod) // not every restart is worth a write
	case c.ended != nil && !c.neverRan():
		c.record(p.status().Debugger)
		p.activate(pod)
	default:
		p.track(c, pod)
	}
}

// starting waits for the container, and says what it waits for.
func (p *pass) starting(c container, pod *corev1.Pod) {
	until := startBy(p.status())
	held := p.heldByTarget(c, pod)
	if held != nil && held.gone {
		p.beginEnding(v1alpha1.OutcomeTargetGone, held.reason, held.message)
		return
	}
	if p.tooLate() {
		why := "it was not running after " + v1alpha1.FormatDuration(StartTimeout) + p.suspicion(pod)
		reason := reasonOr(c, v1alpha1.ReasonNotStarted)
		switch {
		case held != nil:
			reason, why = held.reason, held.message
		case c.troubled():
			why = fmt.Sprintf("%s: %s; %s", c.reason, c.message, c.remedy())
		}
		p.beginEnding(v1alpha1.OutcomeNotStarted, reason, "the debugger did not start in time: "+why)
		return
	}
	if held != nil {
		p.standStarting(held.reason, fmt.Sprintf("container %q was added to it; %s", p.status().Debugger.ContainerName, held.message))
		return
	}
	p.wake(until)
	if !c.troubled() {
		p.slow(pod)
		return
	}
	message := p.trouble(c, pod) + triedUntil + clock(until)
	p.warnOnce(v1alpha1.ConditionDebuggerReady, c.reason, message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, c.reason, message)
	p.stand(v1alpha1.PhaseStarting, c.reason, message)
}

// activate records that one can attach, and lets those who may.
func (p *pass) activate(pod *corev1.Pod) {
	if p.withheld {
		return
	}
	status := p.status()
	if p.Access.state == unasked {
		p.ask(RecallAccess{})
		return
	}
	if p.Access.value != AccessGiven {
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

// interactive says whether the container that the session is about takes input, and whether it has a terminal.
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

func reasonOr(c container, reason string) string {
	if c.troubled() {
		return c.reason
	}
	return reason
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
