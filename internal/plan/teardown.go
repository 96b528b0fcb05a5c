package plan

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// beginEnding writes down that the session is to end and how. The next pass, which sees that persisted, takes things away: should
// an edit race it, whichever the API server took first has won.
func (p *pass) beginEnding(outcome v1alpha1.Outcome, reason, message string) {
	status := p.status()
	status.Attach, status.WaitingFor = "", ""
	p.set(v1alpha1.ConditionEnded, metav1.ConditionFalse, string(outcome), message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, string(v1alpha1.PhaseEnding), "the session is being ended")
	p.stand(v1alpha1.PhaseEnding, reason, message)
	p.wake(p.Now.Add(followUp))
}

// teardown takes away what was made, the access first of all, and says Ended once the API server says that nothing is left.
func (p *pass) teardown() {
	if p.Access.state == unasked {
		p.ask(RecallAccess{})
		return
	}
	if p.Access.value != AccessTaken && p.status().Access != nil {
		p.do(TakeAccess{Name: p.status().Access.Name})
	}
	switch {
	case p.status().Debugger.PodName == "":
		p.ended("nobody knows any more in which pod it was: its status was lost")
	case makesPod(p.spec()):
		p.teardownMade()
	default:
		p.teardownEphemeral()
	}
}

// teardownMade believes the cache when that shows the pod, which is deleted by its UID, but not when it shows nothing: it
// may not have seen yet what was created.
func (p *pass) teardownMade() {
	name := p.status().Debugger.PodName
	switch p.Made.state {
	case unasked:
		p.ask(ReadMade{Name: name})
	case unknown:
		p.blind(fmt.Sprintf("%s %q", p.own(), name), p.Made.err)
	case absent, found:
		pod := p.Made.value
		switch {
		case p.Made.state == found && p.isMade(pod):
			p.deleteMade(pod)
		case !p.Made.fresh:
			p.ask(ReadMade{Name: name, Fresh: true})
		default:
			p.madeGone()
		}
	case awaited:
	}
}

// deleteMade deletes the pod that was made, and says so if that takes longer than it should.
func (p *pass) deleteMade(pod *corev1.Pod) {
	if !p.ran() { // it may have begun to run as its session ended
		p.recordRunning(readMade(pod, p.status().Debugger.ContainerName))
	}
	if pod.DeletionTimestamp == nil {
		p.do(DeletePod{Pod: p.podName(pod.Name), UID: pod.UID, GraceSeconds: debugpod.GraceSeconds})
		p.wake(p.Now.Add(recheck))
		return
	}
	// A deletion's time is when the containers' grace ends. Somebody's finalizer holds the pod for longer, perhaps for ever.
	if overdue := pod.DeletionTimestamp.Add(recheck); p.Now.Before(overdue) && len(pod.Finalizers) == 0 {
		p.wake(overdue)
		return
	}
	p.resist(p.deleting(pod))
}

// madeGone takes away what went with the pod that is gone, and ends. The policy is deleted without a look, and looked for in
// the next pass: nothing that is read once is believed when it says that there is nothing.
func (p *pass) madeGone() {
	if debugpod.Isolates(p.spec()) {
		name := debugpod.IsolationName(p.Session.UID)
		if !p.saidGone() {
			p.do(LiftIsolation{Name: name})
			p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonGone, "the "+p.own()+" is gone")
			p.wake(p.Now)
			return
		}
		switch p.Isolation.state {
		case unasked:
			p.ask(ReadIsolation{Name: name})
			return
		case found:
			if policy := p.Isolation.value; policy.DeletionTimestamp != nil {
				p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonGone, fmt.Sprintf(
					"the %s is gone; network policy %q is held by finalizers that others put on it: %s", p.own(), name, strings.Join(policy.Finalizers, ", ")))
				p.wake(p.Now.Add(recheck))
				return
			}
			p.do(LiftIsolation{Name: name, UID: p.Isolation.value.UID})
		case unknown:
			p.blind(fmt.Sprintf("network policy %q", name), p.Isolation.err)
			return
		case absent, awaited:
		}
	}
	p.ended("no " + p.own() + " is left")
}

// saidGone says whether an earlier pass has written down that the pod that was made is gone.
func (p *pass) saidGone() bool {
	ready := meta.FindStatusCondition(p.Session.Status.Conditions, v1alpha1.ConditionDebuggerReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonGone
}

// teardownEphemeral believes its watch when that shows the container running or terminated, but not when it shows nothing:
// it may not have seen yet what was added.
func (p *pass) teardownEphemeral() {
	status := p.status()
	if p.Target.state == unasked {
		p.ask(ReadTarget{Name: status.Target.PodName})
		return
	}
	if p.Target.state != awaited && !p.Target.fresh && !p.sees(p.Target.value) {
		p.ask(ReadTarget{Name: status.Target.PodName, Fresh: true})
		return
	}
	switch p.Target.state {
	case absent:
		p.ended("its pod is gone")
	case found:
		p.teardownIn(p.Target.value)
	case unknown:
		p.blind(fmt.Sprintf("pod %q", status.Target.PodName), p.Target.err)
	case unasked, awaited:
	}
}

// teardownIn ends the ephemeral debugger in its pod, as far as it has not ended.
func (p *pass) teardownIn(pod *corev1.Pod) {
	status := p.status()
	c, injected := readEphemeral(pod, status.Debugger.ContainerName)
	switch {
	case !p.isTarget(pod):
		p.ended("its pod is gone")
	case !injected:
		p.ended("nothing was made")
	case c.ended != nil:
		if len(p.plan.Actions) == 0 { // or it is written with the end, which is to follow at once
			c.record(status.Debugger)
		}
		p.ended("its container has terminated")
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		p.ended("its pod has finished")
	case c.again && c.state == v1alpha1.DebuggerWaiting:
		p.outwait(c, pod)
	case p.mayRun(c) && p.foundUnstoppable():
		p.outlast(status.Debugger.ContainerName, pod.Name)
	case p.mayRun(c) && p.atItsDeadline():
		p.recordRunning(c)
		p.wake(status.Debugger.Deadline.Add(ownEnd))
	case p.mayRun(c):
		p.recordRunning(c)
		p.do(StopDebugger{Pod: p.podName(pod.Name), UID: pod.UID, Container: status.Debugger.ContainerName, Command: debugpod.Sweep()})
		p.runsOn(c, pod)
		p.wake(p.Now.Add(recheck))
	default:
		p.outwait(c, pod)
	}
}

// mayRun says whether a container that has not ended runs. One that was seen to run does, although its node may say nothing of it for
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
func (p *pass) runsOn(c container, pod *corev1.Pod) {
	ending := meta.FindStatusCondition(p.status().Conditions, v1alpha1.ConditionEnded)
	ready := meta.FindStatusCondition(p.status().Conditions, v1alpha1.ConditionDebuggerReady)
	told := p.Session.Status.Debugger != nil && p.Session.Status.Debugger.State == v1alpha1.DebuggerRunning
	if !told || p.Now.Before(ending.LastTransitionTime.Add(recheck)) || p.Now.Before(c.started.Add(recheck)) ||
		ready != nil && ready.Reason == v1alpha1.ReasonStillRunning {
		return
	}
	message := fmt.Sprintf("container %q in pod %q runs on although it is told to end; tried again", p.status().Debugger.ContainerName, pod.Name)
	p.warnOnce(v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonStillRunning, message)
	p.resist(message)
}

// isTarget says whether the pod is the recorded one. If no UID is left of that, the debugger's name has to do, which no
// other session's has.
func (p *pass) isTarget(pod *corev1.Pod) bool {
	uid := p.status().Target.PodUID
	return uid == "" || pod.UID == uid
}

// sees says whether the pod is the recorded one, with the debugger in it.
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
func (p *pass) outwait(c container, pod *corev1.Pod) {
	never := neverAfter(p.status())
	cannot := p.joinsNoMore(pod)
	if cannot || !p.Now.Before(never) && !p.unstoppable() {
		if !p.Target.fresh { // it may have started, and the watch not have seen that
			p.ask(ReadTarget{Name: pod.Name, Fresh: true})
			return
		}
		if cannot {
			p.ended("its container does not run, and cannot: what it would join has finished for good")
			return
		}
		if c.again {
			p.ended("its container was removed, and would end itself if it were made anew")
			return
		}
		p.ended("its container never started, and would end itself if it did")
		return
	}
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
		message += fmt.Sprintf("; the session ends at %s, after which it runs nothing, or as soon as its pod goes", clock(never))
		p.wake(never)
	}
	if p.news(v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonNotStarted) {
		p.event(corev1.EventTypeNormal, v1alpha1.ReasonNotStarted, message)
	}
	p.holdOut(v1alpha1.ReasonNotStarted, message)
}

// resist says what still stands, and looks again.
func (p *pass) resist(message string) { p.holdOut(v1alpha1.ReasonStillRunning, message) }

// holdOut says what the end waits for, where a person looks first, and looks again.
func (p *pass) holdOut(reason, message string) {
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, reason, message)
	if ending := meta.FindStatusCondition(p.status().Conditions, v1alpha1.ConditionEnded); ending != nil {
		message = ending.Message + "; " + message
	}
	p.stand(v1alpha1.PhaseEnding, p.status().Reason, message)
	p.wake(p.Now.Add(recheck))
}

// blind says that it cannot be seen whether anything is left, which is no reason to call it gone.
func (p *pass) blind(what string, err error) {
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionUnknown, v1alpha1.ReasonUnreadable,
		fmt.Sprintf("%s cannot be read: %v", what, err))
	p.plan.Retry = fmt.Errorf("reading %s: %w", what, err)
	p.wake(p.Now.Add(overdueRetry))
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

// ended concludes a teardown with the outcome that was written down when it began.
func (p *pass) ended(nothingLeft string) {
	if len(p.plan.Actions) > 0 { // access is only now being taken
		p.wake(p.Now)
		return
	}
	outcome, message := v1alpha1.OutcomeTerminated, nothingLeft
	if ending := meta.FindStatusCondition(p.status().Conditions, v1alpha1.ConditionEnded); ending != nil {
		outcome, message = v1alpha1.Outcome(ending.Reason), ending.Message+"; "+nothingLeft
	}
	if outcome == v1alpha1.OutcomeNotStarted && p.ran() {
		p.finish(v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), "the debugger began to run when the session's time was up; "+nothingLeft)
		return
	}
	p.finish(outcome, p.status().Reason, message)
}

// finish is the end: of every session, and for ever.
func (p *pass) finish(outcome v1alpha1.Outcome, reason, message string) {
	status := p.status()
	status.Outcome, status.EndedAt, status.Attach, status.WaitingFor = outcome, timestamp(p.Now), "", ""
	if status.Debugger != nil {
		gone := v1alpha1.ReasonGone
		if status.Debugger.State == "" || status.Debugger.State == v1alpha1.DebuggerWaiting {
			gone = v1alpha1.ReasonNotStarted
		}
		if status.Debugger.State == v1alpha1.DebuggerRunning {
			status.Debugger.State = v1alpha1.DebuggerTerminated
		}
		if status.Debugger.StartedAt != nil && status.Debugger.StoppedBy == "" {
			status.Debugger.StoppedBy = stoppedBy(outcome, reason, status)
		}
		p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, gone, "the session has ended")
	}
	p.set(v1alpha1.ConditionEnded, metav1.ConditionTrue, string(outcome), message)
	p.stand(v1alpha1.PhaseEnded, reason, message)
	kind := corev1.EventTypeNormal
	if p.failed() {
		kind = corev1.EventTypeWarning
	}
	p.event(kind, string(outcome), message)
	p.plan.WakeAt, p.plan.Retry = time.Time{}, nil
}
