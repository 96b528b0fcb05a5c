package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
)

const (
	// simultaneousExitWindow is how far apart the recorded ends may be of containers that ended at one moment.
	simultaneousExitWindow = 2 * time.Second

	// remaking is how long a kubelet may take to start a container anew that was removed from the runtime.
	remaking = 5 * time.Second

	// targetExitGrace is how long a kubelet may take to tell of the second of them.
	targetExitGrace = 3 * time.Second
)

// stoppedBy is what ended a debugger that ran, by how its session ended and by how its container did.
func stoppedBy(outcome v1alpha1.Outcome, reason string, status *v1alpha1.DebugSessionStatus) v1alpha1.StoppedBy {
	debugger := status.Debugger
	swept := debugger.ExitCode != nil && *debugger.ExitCode == debugpod.ExitSwept && strings.Contains(debugger.Message, debugpod.MessagePrefix)
	switch {
	case debugger.StartedAt != nil && debugger.FinishedAt != nil && gaveUp(debugger.Message, *debugger.StartedAt, *debugger.FinishedAt):
		return ""
	case outcome == v1alpha1.OutcomeCompleted && swept: // by a signal of somebody's
		return v1alpha1.StoppedByOther
	case endedAt(status.HardDeadline, debugger):
		return v1alpha1.StoppedByHardDeadline
	case endedAt(status.ExpiresAt, debugger):
		return v1alpha1.StoppedByDeadline
	case outcome == v1alpha1.OutcomeExpired && reason == v1alpha1.ReasonIdleTimeout:
		return v1alpha1.StoppedByIdleTimeout
	case outcome == v1alpha1.OutcomeTargetGone:
		return v1alpha1.StoppedByTarget
	case outcome == v1alpha1.OutcomeFailed, reason == v1alpha1.ReasonGone: // evicted, or deleted by somebody
		return v1alpha1.StoppedByOther
	case outcome == v1alpha1.OutcomeCompleted:
		return v1alpha1.StoppedByCommand
	default:
		return v1alpha1.StoppedByOperator
	}
}

// endedAt reports whether a deadline that the debugger kept to by itself is what ended it: by the wrapper's exit code, and by when
// it ended, both of the node's clock. A command may exit with the same code, and write the same last words; but not when its
// time is up and it has been ended.
func endedAt(deadline *metav1.Time, debugger *v1alpha1.DebuggerStatus) bool {
	return debugger.Deadline != nil && deadline != nil && debugger.FinishedAt != nil && !debugger.FinishedAt.Before(deadline) &&
		debugger.ExitCode != nil && *debugger.ExitCode == debugpod.ExitDeadline
}

// endedWithTarget deals with a debugger that was killed by no limit of its own, which is what happens to all that have joined a container's
// process namespace when that container's first process ends. The kubelet may tell of the debugger first: if it says nothing of the
// target, the debugger's end is believed to be its own only a moment later.
func (p *pass) endedWithTarget(c container, pod *corev1.Pod) step {
	if diagnosis.Lost(c.ended) {
		if c.ended.Reason == diagnosis.ContainerStatusUnknown {
			if stop := p.perhapsMadeAgain(c); stop != nil {
				return stop
			}
		}
		return p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetRestarted, fmt.Sprintf(
			"node %q was restarted, or has lost container %q: %s", pod.Spec.NodeName, p.status().Debugger.ContainerName, c.ended.Reason))
	}
	name := p.status().Target.Container
	if name == "" || c.ended.ExitCode != diagnosis.ExitKilled || c.ended.Reason == diagnosis.OOMKilled || strings.Contains(c.ended.Message, debugpod.MessagePrefix) || !debugpod.Joins(pod) {
		return nil
	}
	if restartingNow(pod) {
		return p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetRestarted, fmt.Sprintf(
			"the restartPolicyRules of a container are restarting all containers of pod %q, and the debugger ended with container %q", pod.Name, name))
	}
	if target := endedWith(pod, name, c.ended); target != nil {
		t, reason := readTarget(pod, name), v1alpha1.ReasonTargetRestarted
		if t.finished() {
			reason = v1alpha1.ReasonTargetFinished
		}
		return p.end(v1alpha1.OutcomeTargetGone, reason, fmt.Sprintf("%s ended (%s), and the debugger with it", t, t.ends(target)))
	}
	return p.awaitTarget(wasKilled)
}

// restartingNow reports whether the kubelet is restarting all of a pod's containers.
func restartingNow(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.AllContainersRestarting && c.Status == corev1.ConditionTrue
	})
}

const wasKilled = "the debugger was killed"

// awaitTarget waits for as long as the kubelet may yet tell of the target's end.
func (p *pass) awaitTarget(meanwhile string) step { return p.awaitKubelet(meanwhile, targetExitGrace) }

// awaitKubelet waits for as long as the kubelet may yet tell more of an end. Its clock is not ours: ours counts from when the
// debugger's end was seen.
func (p *pass) awaitKubelet(meanwhile string, atMost time.Duration) step {
	p.status().Attach = ""
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonExited, meanwhile)
	until := p.condition(v1alpha1.ConditionDebuggerReady).LastTransitionTime.Add(atMost)
	if !p.Now.Before(until) {
		return nil
	}
	p.wake(until)
	return pause{}
}

// perhapsMadeAgain waits with an ephemeral debugger that was ended by something from outside, which may have removed its container:
// the kubelet then starts it anew, a moment after it has told of its end. It does not when it is so late that the debugger
// would end itself.
func (p *pass) perhapsMadeAgain(c container) step {
	stopped := c.ended.ExitCode == diagnosis.ExitKilled || c.ended.ExitCode == debugpod.ExitSwept
	if !stopped && c.ended.Reason != diagnosis.ContainerStatusUnknown || c.ended.Reason == diagnosis.OOMKilled || strings.Contains(c.ended.Message, debugpod.MessagePrefix) ||
		!p.unstoppable() && !p.Now.Before(neverAfter(p.status())) {
		return nil
	}
	return p.awaitKubelet(wasKilled, remaking)
}

// madeAgain reports whether an ephemeral debugger that has run already runs anew, or is about to: its container was removed.
func (p *pass) madeAgain(c container) bool {
	before := p.Session.Status.Debugger
	if makesPod(p.spec()) || before == nil {
		return false
	}
	if c.ended != nil { // it could not be started this time
		return before.StartedAt != nil && diagnosis.NotStartable(c.ended.Reason)
	}
	return c.again || c.state == v1alpha1.DebuggerRunning &&
		(before.FinishedAt != nil || before.StartedAt != nil && c.started.After(before.StartedAt.Time))
}

// endedWith is how a container of the pod ended when the debugger did, restarted since or not; nil if it did not. When all
// containers are restarted nothing tells when one ended: then it counts that it does not run, or runs only since.
func endedWith(pod *corev1.Pod, name string, debugger *corev1.ContainerStateTerminated) *corev1.ContainerStateTerminated {
	status := statusOf(pod, name)
	for _, ended := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
		if ended != nil && ended.FinishedAt.Sub(debugger.FinishedAt.Time).Abs() <= simultaneousExitWindow {
			return ended
		}
	}
	last, runs := status.LastTerminationState.Terminated, status.State.Running
	if last != nil && last.Reason == diagnosis.RestartingAllContainers && (runs == nil || !runs.StartedAt.Time.Before(debugger.FinishedAt.Add(-simultaneousExitWindow))) {
		return last
	}
	return nil
}
