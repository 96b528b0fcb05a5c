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

// stoppedBy is what ended a debugger that ran, by how its session ended and by the container's last words.
func stoppedBy(outcome v1alpha1.Outcome, reason, words string) v1alpha1.StoppedBy {
	switch {
	case strings.Contains(words, notStarted):
		return ""
	case outcome == v1alpha1.OutcomeCompleted && strings.Contains(words, debugpod.MessagePrefix): // by a signal of somebody's
		return v1alpha1.StoppedByOther
	case strings.Contains(words, debugpod.AtHardDeadline):
		return v1alpha1.StoppedByHardDeadline
	case strings.Contains(words, debugpod.AtDeadline):
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

// goneWithTarget deals with a debugger that was killed by no limit of its own, which is what happens to all that have joined a container's process
// namespace when that container's first process ends. The kubelet may tell of the debugger first: if it says nothing of the
// target, the debugger's end is believed to be its own only a moment later.
func (p *pass) goneWithTarget(c container, pod *corev1.Pod) bool {
	name := p.status().Target.Container
	if name == "" || c.ended.ExitCode != killed || c.ended.Reason == "OOMKilled" || strings.Contains(c.ended.Message, debugpod.MessagePrefix) || !debugpod.Joins(pod) {
		return false
	}
	if target := endedWith(pod, name, c.ended.FinishedAt); target != nil {
		p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetRestarted, fmt.Sprintf(
			"container %q of pod %q ended (%s, exit code %d), and the debugger with it", name, pod.Name, target.Reason, target.ExitCode))
		return true
	}
	return p.awaitTarget()
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
