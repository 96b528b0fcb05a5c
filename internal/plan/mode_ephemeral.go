package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plaintext"
)

// ephemeralMode adds an ephemeral container to the target.
type ephemeralMode struct{}

func (ephemeralMode) makesPod() bool { return false }

// suits reports whether the container can start in the pod: it is on a node and lives, and its target container has not finished.
func (ephemeralMode) suits(target *v1alpha1.Target, pod *corev1.Pod) bool {
	if pod.Spec.NodeName == "" || checkAlive(pod) != nil {
		return false
	}
	t := readTarget(pod, targetContainer(target, pod))
	return t.joinable() || !t.finished()
}

func (ephemeralMode) find(p *pass) (*debugTarget, step) {
	target, stop := p.findPod(refuseEphemeral)
	switch {
	case stop != nil:
		return nil, stop
	case target.pod.Spec.NodeName == "":
		return nil, wait{reason: v1alpha1.ReasonTargetNotPlaced, message: notPlaced(target.pod)}
	}
	return target, p.worthWaiting(target.pod)
}

// refuseEphemeral refuses a pod in which no ephemeral container could start.
func refuseEphemeral(pod *corev1.Pod) *Refusal {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return refuse(v1alpha1.ReasonTargetIsMirrorPod,
			"pod %q is a static pod, which cannot take ephemeral containers; use mode: PodCopy", pod.Name)
	}
	return checkAlive(pod)
}

func (ephemeralMode) record(p *pass, target *debugTarget, life lifetime) {
	status := p.status()
	status.Target.Container = targetContainer(&p.spec().Target, target.pod)
	status.Debugger.PodName, status.Debugger.PodUID = target.pod.Name, target.pod.UID
	if !p.unstoppable() {
		status.Debugger.Deadline = timestamp(life.expires)
	}
	for _, path := range debugpod.MountsLeftOut(p.spec(), target.pod) {
		status.Debugger.MountsLeftOut = append(status.Debugger.MountsLeftOut, sanitizeMessage(path))
	}
}

func (ephemeralMode) build(p *pass, session *v1alpha1.DebugSession, target *debugTarget) (Action, error) {
	c, err := debugpod.Ephemeral(session, target.pod)
	if err != nil {
		return nil, err
	}
	if !p.unstoppable() {
		if err := debugpod.WrapWithDeadline(c, deadlines(session)); err != nil {
			return nil, err
		}
	}
	if err := debugpod.CheckPodSize(c, target.pod); err != nil {
		return nil, err
	}
	return InjectDebugger{Pod: p.podName(target.pod.Name), UID: target.pod.UID, Container: *c}, nil
}

func (ephemeralMode) warn(*pass, *debugTarget, Action) step { return nil }

// pinned is the pod that was recorded, which must not have finished: nothing starts in it any more.
func (ephemeralMode) pinned(p *pass) (*debugTarget, step) {
	target, stop := p.pinnedPod()
	if stop == nil && hasFinished(target.pod) {
		return nil, p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetFinished, finished(target.pod))
	}
	return target, stop
}

// track makes the ephemeral container that is recorded, or follows the one that was added.
func (m ephemeralMode) track(p *pass) step {
	pinned, stop := m.pinned(p)
	if stop != nil {
		return stop
	}
	target := pinned.pod
	p.followTarget(target)
	c, injected := readEphemeral(target, p.status().Debugger.ContainerName)
	switch {
	case injected:
		return p.track(c, target)
	case target.DeletionTimestamp != nil:
		return p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetTerminating, fmt.Sprintf("pod %q is being deleted", target.Name))
	case p.tooLate() && !p.Target.fresh: // it may have been added, and the watch not have seen that
		return ask{ReadTarget{Name: target.Name, Fresh: true}}
	case p.tooLate(): // started as late as this, a debugger would end itself
		return p.notMade("the debugger")
	default:
		return p.make(pinned)
	}
}

// teardown believes its watch when that shows the container running or terminated, but not when it shows nothing:
// it may not have seen yet what was added.
func (m ephemeralMode) teardown(p *pass) step {
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
		return m.stop(p, pod)
	}
}

// stop ends the ephemeral debugger in its pod, as far as it has not ended.
func (m ephemeralMode) stop(p *pass, pod *corev1.Pod) step {
	status := p.status()
	c, injected := readEphemeral(pod, status.Debugger.ContainerName)
	switch {
	case !p.isTarget(pod):
		return p.completeEnding("its pod is gone")
	case !injected:
		return p.completeEnding("nothing was created")
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
	p.do(StopDebugger{Pod: p.podName(pod.Name), UID: pod.UID, Container: status.Debugger.ContainerName, Command: debugpod.KillCommand()})
	p.wake(p.Now.Add(recheck))
	return p.runsOn(c, pod)
}

// runsOn says of a debugger that should have ended long ago that it has not, unless more is known of it already.
func (p *pass) runsOn(c container, pod *corev1.Pod) step {
	ending, ready := p.condition(v1alpha1.ConditionEnded), p.condition(v1alpha1.ConditionDebuggerReady)
	told := p.Session.Status.Debugger != nil && p.Session.Status.Debugger.State == v1alpha1.DebuggerRunning
	if !told || p.Now.Before(ending.LastTransitionTime.Add(recheck)) || p.Now.Before(c.started.Add(recheck)) ||
		ready != nil && ready.Reason == v1alpha1.ReasonStillRunning {
		return nil
	}
	message := fmt.Sprintf("container %q in pod %q still runs after it was told to exit; retrying", p.status().Debugger.ContainerName, pod.Name)
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
		return p.completeEnding("its container cannot start: the container it would join has finished for good")
	case c.again:
		return p.completeEnding("its container was removed, and would exit at once if recreated")
	default:
		return p.completeEnding("its container never started, and would exit at once if it did")
	}
}

// mayYetStart says what a container that was added waits for, and until when it may start.
func (p *pass) mayYetStart(c container, pod *corev1.Pod) step {
	waits := "has not started yet"
	switch {
	case c.again:
		waits = "was removed from its node and is being recreated by the kubelet"
	case c.troubled():
		waits = fmt.Sprintf("has not started (%s)", c.steady().reason)
	}
	message := fmt.Sprintf("container %q in pod %q %s, and Kubernetes cannot remove it; it will be stopped if it starts",
		p.status().Debugger.ContainerName, pod.Name, waits)
	if p.unstoppable() {
		message += " and has a shell; the session ends when it exits or its pod is gone"
	} else {
		never := neverAfter(p.status())
		message += fmt.Sprintf("; the session ends at %s, after which it runs nothing, or when its pod is gone", plaintext.Clock(never))
		p.wake(never)
	}
	if p.news(v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonNotStarted) {
		p.event(corev1.EventTypeNormal, v1alpha1.ReasonNotStarted, message)
	}
	return waitEnding{v1alpha1.ReasonNotStarted, message}
}

// look records where the debugger stands as its pod tells.
func (ephemeralMode) look(p *pass) step {
	if p.Target.state == unasked {
		return ask{ReadTarget{Name: p.status().Target.PodName}}
	}
	if p.Target.state == found && p.isTarget(p.Target.value) {
		if c, injected := readEphemeral(p.Target.value, p.status().Debugger.ContainerName); injected {
			return p.note(c, p.Target.value)
		}
	}
	return nil
}

// endedBy finds out whether the debugger ended with its target, or may be made anew by its kubelet.
func (ephemeralMode) endedBy(p *pass, c container, pod *corev1.Pod) step {
	if stop := p.endedWithTarget(c, pod); stop != nil {
		return stop
	}
	return p.perhapsMadeAgain(c)
}

func (ephemeralMode) repair(p *pass) {
	status := p.status()
	if status.Target == nil {
		status.Target = podNamed(p.spec().Target.PodName)
		if at := status.Debugger; at != nil {
			status.Target = &v1alpha1.TargetStatus{Name: at.PodName, PodName: at.PodName, PodUID: at.PodUID}
		}
	}
	if status.Debugger == nil {
		status.Debugger = p.lostDebugger(status.Target.PodName)
	}
}

// targetFiles is where the debugger finds its target's files.
func (ephemeralMode) targetFiles(pod *corev1.Pod) string {
	if debugpod.Joins(pod) {
		return "/proc/1/root"
	}
	return "/proc/PID/root"
}
