package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

const (
	// killed is the exit code of a process that was ended by SIGKILL.
	killed = 137

	// together is how far apart the recorded ends may be of containers that ended at one moment.
	together = 2 * time.Second

	// afterthought is how long a kubelet may take to tell of the second of them.
	afterthought = 3 * time.Second
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

// endedAt says whether a deadline that the debugger kept to by itself is what ended it: by the wrapper's exit code, and by when
// it ended, both of the node's clock. A command may exit with the same code, and write the same last words; but not when its
// time is up and it has been ended.
func endedAt(deadline *metav1.Time, debugger *v1alpha1.DebuggerStatus) bool {
	return debugger.Deadline != nil && deadline != nil && debugger.FinishedAt != nil && !debugger.FinishedAt.Before(deadline) &&
		debugger.ExitCode != nil && *debugger.ExitCode == debugpod.ExitDeadline
}

// goneWithTarget deals with a debugger that was killed by no limit of its own, which is what happens to all that have joined a container's process
// namespace when that container's first process ends. The kubelet may tell of the debugger first: if it says nothing of the
// target, the debugger's end is believed to be its own only a moment later.
func (p *pass) goneWithTarget(c container, pod *corev1.Pod) bool {
	if !makesPod(p.spec()) && lost(c.ended) {
		p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetRestarted, fmt.Sprintf(
			"node %q was restarted, or has lost container %q: %s", pod.Spec.NodeName, p.status().Debugger.ContainerName, c.ended.Reason))
		return true
	}
	name := p.status().Target.Container
	if name == "" || c.ended.ExitCode != killed || c.ended.Reason == outOfMemory || strings.Contains(c.ended.Message, debugpod.MessagePrefix) || !debugpod.Joins(pod) {
		return false
	}
	if target := endedWith(pod, name, c.ended.FinishedAt); target != nil {
		p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetRestarted, fmt.Sprintf(
			"container %q of pod %q ended (%s, exit code %d), and the debugger with it", name, pod.Name, target.Reason, target.ExitCode))
		return true
	}
	return p.awaitTarget()
}

// lost says whether a node knows no more of how a container ended than that it does not run: so containerd says it of what ran
// before the machine was started anew, and so the kubelet of what it does not find at all.
func lost(ended *corev1.ContainerStateTerminated) bool {
	const byContainerd, code, byKubelet = "Unknown", 255, "ContainerStatusUnknown"
	return ended.Reason == byContainerd && ended.ExitCode == code || ended.Reason == byKubelet
}

// awaitTarget says whether the kubelet may yet tell of the target's end. Its clock is not ours: ours counts from when the
// debugger's end was seen.
func (p *pass) awaitTarget() bool {
	p.status().Attach = ""
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonExited, "the debugger was killed")
	seen := meta.FindStatusCondition(p.status().Conditions, v1alpha1.ConditionDebuggerReady).LastTransitionTime
	until := seen.Add(afterthought)
	if !p.Now.Before(until) {
		return false
	}
	p.wake(until)
	return true
}

// endedWith is how a container of the pod ended at that moment, restarted since or not; nil if it did not.
func endedWith(pod *corev1.Pod, name string, at metav1.Time) *corev1.ContainerStateTerminated {
	for _, status := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if status.Name != name {
			continue
		}
		for _, ended := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
			if ended != nil && ended.FinishedAt.Sub(at.Time).Abs() <= together {
				return ended
			}
		}
	}
	return nil
}
