package plan

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// endingGates take away what was made, the access first of all, and say Ended once the API server says that nothing is left.
var endingGates = []gate{
	(*pass).statusRepaired,
	(*pass).accessRevoked,
	(*pass).debuggerGone,
}

func (p *pass) accessRevoked() step {
	access, stop := need(p.Access, RecallAccess{}, nil, notKnownGone("what was done about the access"))
	if stop == nil && access != AccessTaken && p.status().Access != nil {
		p.do(TakeAccess{Name: p.status().Access.Name})
	}
	return stop
}

func (p *pass) debuggerGone() step {
	switch {
	case p.status().Debugger.PodName == "":
		return p.completeEnding("nobody knows any more in which pod it was: its status was lost")
	case makesPod(p.spec()):
		return p.teardownMade()
	default:
		return p.teardownEphemeral()
	}
}

// teardownMade believes the cache when that shows the pod, which is deleted by its UID, but not when it shows nothing: it
// may not have seen yet what was created.
func (p *pass) teardownMade() step {
	name := p.status().Debugger.PodName
	pod, stop := need(p.Made, ReadMade{Name: name}, nil, notKnownGone(fmt.Sprintf("%s %q", p.own(), name)))
	switch {
	case stop != nil:
		return stop
	case pod != nil && p.isMade(pod):
		return p.deleteMade(pod)
	case !p.Made.fresh:
		return ask{ReadMade{Name: name, Fresh: true}}
	case debugpod.Isolates(p.spec()):
		return p.liftIsolation()
	default:
		return p.completeEnding("no " + p.own() + " is left")
	}
}

// deleteMade deletes the pod that was made, and says so if that takes longer than it should.
func (p *pass) deleteMade(pod *corev1.Pod) step {
	if !p.ran() { // it may have begun to run as its session ended
		p.recordRunning(readMade(pod, p.status().Debugger.ContainerName))
	}
	if pod.DeletionTimestamp == nil {
		p.do(DeletePod{Pod: p.podName(pod.Name), UID: pod.UID, GraceSeconds: debugpod.GraceSeconds})
		p.wake(p.Now.Add(recheck))
		return pause{}
	}
	// A deletion's time is when the containers' grace ends. Somebody's finalizer holds the pod for longer, perhaps for ever.
	if overdue := pod.DeletionTimestamp.Add(recheck); p.Now.Before(overdue) && len(pod.Finalizers) == 0 {
		p.wake(overdue)
		return pause{}
	}
	return waitEnding{v1alpha1.ReasonStillRunning, p.deleting(pod)}
}

// liftIsolation takes away the policy of a copy that is gone. It is deleted without a look, and looked for in the next pass: nothing
// that is read once is believed when it says that there is nothing.
func (p *pass) liftIsolation() step {
	name := debugpod.IsolationName(p.Session.UID)
	if !p.saidGone() {
		p.do(LiftIsolation{Name: name})
		p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonGone, "the "+p.own()+" is gone")
		p.wake(p.Now)
		return pause{}
	}
	policy, stop := need(p.Isolation, ReadIsolation{Name: name}, nil, notKnownGone(fmt.Sprintf("network policy %q", name)))
	switch {
	case stop != nil:
		return stop
	case policy != nil && policy.DeletionTimestamp != nil:
		p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonGone, fmt.Sprintf(
			"the %s is gone; network policy %q is held by finalizers that others put on it: %s", p.own(), name, strings.Join(policy.Finalizers, ", ")))
		p.wake(p.Now.Add(recheck))
		return pause{}
	case policy != nil:
		p.do(LiftIsolation{Name: name, UID: policy.UID})
	}
	return p.completeEnding("no " + p.own() + " is left")
}

// saidGone reports whether an earlier pass has written down that the pod that was made is gone.
func (p *pass) saidGone() bool {
	ready := meta.FindStatusCondition(p.Session.Status.Conditions, v1alpha1.ConditionDebuggerReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonGone
}

// teardownEphemeral believes its watch when that shows the container running or terminated, but not when it shows nothing:
// it may not have seen yet what was added.
func (p *pass) teardownEphemeral() step {
	name := p.status().Target.PodName
	switch state := p.Target.state; {
	case state == unasked:
		return ask{ReadTarget{Name: name}}
	case state != awaited && !p.Target.fresh && !p.sees(p.Target.value):
		return ask{ReadTarget{Name: name, Fresh: true}}
	}
	pod, stop := need(p.Target, nil, nil, notKnownGone(fmt.Sprintf("pod %q", name)))
	switch {
	case stop != nil:
		return stop
	case pod == nil:
		return p.completeEnding("its pod is gone")
	default:
		return p.teardownIn(pod)
	}
}

// teardownIn ends the ephemeral debugger in its pod, as far as it has not ended.
func (p *pass) teardownIn(pod *corev1.Pod) step {
	status := p.status()
	c, injected := readEphemeral(pod, status.Debugger.ContainerName)
	switch {
	case !p.isTarget(pod):
		return p.completeEnding("its pod is gone")
	case !injected:
		return p.completeEnding("nothing was made")
	case c.ended != nil:
		if len(p.plan.Actions) == 0 { // or it is written with the end, which is to follow at once
			c.record(status.Debugger)
		}
		return p.completeEnding("its container has terminated")
	case hasFinished(pod):
		return p.completeEnding("its pod has finished")
	case !p.mayRun(c), c.again && c.state == v1alpha1.DebuggerWaiting:
		return p.outwait(c, pod)
	case p.foundUnstoppable():
		p.outlast(status.Debugger.ContainerName, pod.Name)
		return pause{}
	}
	p.recordRunning(c)
	if p.atItsDeadline() {
		p.wake(status.Debugger.Deadline.Add(ownEnd))
		return pause{}
	}
	p.do(StopDebugger{Pod: p.podName(pod.Name), UID: pod.UID, Container: status.Debugger.ContainerName, Command: debugpod.Sweep()})
	p.wake(p.Now.Add(recheck))
	return p.runsOn(c, pod)
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

// runsOn says of a debugger that should have ended long ago that it has not, unless more is known of it already.
func (p *pass) runsOn(c container, pod *corev1.Pod) step {
	ending, ready := p.condition(v1alpha1.ConditionEnded), p.condition(v1alpha1.ConditionDebuggerReady)
	told := p.Session.Status.Debugger != nil && p.Session.Status.Debugger.State == v1alpha1.DebuggerRunning
	if !told || p.Now.Before(ending.LastTransitionTime.Add(recheck)) || p.Now.Before(c.started.Add(recheck)) ||
		ready != nil && ready.Reason == v1alpha1.ReasonStillRunning {
		return nil
	}
	message := fmt.Sprintf("container %q in pod %q runs on although it is told to end; tried again", p.status().Debugger.ContainerName, pod.Name)
	p.warnOnce(v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonStillRunning, message)
	return waitEnding{v1alpha1.ReasonStillRunning, message}
}

// isTarget reports whether the pod is the recorded one. If no UID is left of that, the debugger's name has to do, which no
// other session's has.
func (p *pass) isTarget(pod *corev1.Pod) bool {
	uid := p.status().Target.PodUID
	return uid == "" || pod.UID == uid
}

// sees reports whether the pod is the recorded one, with the debugger in it.
func (p *pass) sees(pod *corev1.Pod) bool {
	if pod == nil || !p.isTarget(pod) {
		return false
	}
	_, injected := readEphemeral(pod, p.status().Debugger.ContainerName)
	return injected
}

// outwait deals with a container that was added but has not started: Kubernetes cannot take it back, and nothing can be
// run in it. Past its time to start it ends itself should it ever start, and only then the session may say Ended. One that
// is unstoppable may start at any time.
func (p *pass) outwait(c container, pod *corev1.Pod) step {
	cannot := p.joinsNoMore(pod)
	if !cannot && (p.unstoppable() || p.Now.Before(neverAfter(p.status()))) {
		return p.mayYetStart(c, pod)
	}
	switch {
	case !p.Target.fresh: // it may have started, and the watch not have seen that
		return ask{ReadTarget{Name: pod.Name, Fresh: true}}
	case cannot:
		return p.completeEnding("its container does not run, and cannot: what it would join has finished for good")
	case c.again:
		return p.completeEnding("its container was removed, and would end itself if it were made anew")
	default:
		return p.completeEnding("its container never started, and would end itself if it did")
	}
}

// mayYetStart says what a container that was added waits for, and until when it may start.
func (p *pass) mayYetStart(c container, pod *corev1.Pod) step {
	waits := "has not started yet"
	switch {
	case c.again:
		waits = "was removed from its node and is made anew by its kubelet"
	case c.troubled():
		waits = fmt.Sprintf("has not started (%s)", c.steady().reason)
	}
	message := fmt.Sprintf("container %q in pod %q %s, and Kubernetes cannot remove it; it is stopped if it starts",
		p.status().Debugger.ContainerName, pod.Name, waits)
	if p.unstoppable() {
		message += " and has a shell; the session ends when it has exited or its pod goes"
	} else {
		never := neverAfter(p.status())
		message += fmt.Sprintf("; the session ends at %s, after which it runs nothing, or as soon as its pod goes", clock(never))
		p.wake(never)
	}
	if p.news(v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonNotStarted) {
		p.event(corev1.EventTypeNormal, v1alpha1.ReasonNotStarted, message)
	}
	return waitEnding{v1alpha1.ReasonNotStarted, message}
}

func (p *pass) deleting(pod *corev1.Pod) string {
	message := fmt.Sprintf("%s %q is being deleted", p.own(), pod.Name)
	switch {
	case len(pod.Finalizers) > 0:
		message += "; it is held by finalizers that others put on it: " + strings.Join(pod.Finalizers, ", ")
	case pod.Spec.NodeName != "":
		message += fmt.Sprintf("; node %q has yet to say that its containers have stopped: see whether that node is ready", pod.Spec.NodeName)
	}
	return message
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
		return markEnded{v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), "the debugger began to run when the session's time was up; " + nothingLeft}
	}
	return markEnded{outcome, p.status().Reason, message}
}
