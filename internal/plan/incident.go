package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/plaintext"
	"debugsession.dev/operator/internal/policy"
)

// incident is what a pod did that an armed session waits for.
type incident struct {
	pod  *corev1.Pod
	at   time.Time
	what string
}

// survey is what the pods of an armed session come to.
type survey struct {
	over   string    // why nothing is waited for any more, although it was not triggered as often as it might; empty if it is waited for
	pods   int       // how many are watched
	first  *incident // the first that one did in which the debugger can be started; nil: none did
	missed *incident // the first that one did in which it cannot
	next   time.Time // when the next will have been not ready for long enough; zero: none will
}

// lookFor looks among the pods of an armed session for what it waits for.
func lookFor(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, status *v1alpha1.DebugSessionStatus, pods []corev1.Pod, now time.Time) survey {
	var s survey
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp == nil && madeBySession(pod) == nil && policy.CheckPod(class, pod, pod.Name) == "" {
			s.pods++
			s.add(spec, incidentOf(&spec.Target, pod, reckonFrom(status, pod)), now)
		}
	}
	return s
}

// reckoning is from when on it counts what a pod does.
type reckoning struct {
	since    time.Time // the session was armed, and the pod's last member had ended
	answered time.Time // the last trigger of this pod was seen; zero: there was none
	busy     bool      // a member of the pod has not ended: nothing counts
}

// reckonFrom uses each trigger once: what a pod did before the end of the member that was made for it counts for no other.
func reckonFrom(status *v1alpha1.DebugSessionStatus, pod *corev1.Pod) reckoning {
	from := reckoning{since: status.Armed.Since.Time}
	for i := range status.Members {
		row := &status.Members[i]
		if row.PodUID != pod.UID {
			continue
		}
		if row.EndedAt == nil {
			return reckoning{busy: true}
		}
		from.since, from.answered = later(from.since, row.EndedAt), later(from.answered, row.TriggeredAt)
	}
	from.since = later(from.since, &metav1.Time{Time: from.answered}) // a node's clock may be ahead
	return from
}

func later(a time.Time, b *metav1.Time) time.Time {
	if b != nil && b.After(a) {
		return b.Time
	}
	return a
}

// incidentOf is what a pod did, or will have done by then if it does not become ready; nil if it did nothing.
func incidentOf(target *v1alpha1.Target, pod *corev1.Pod, from reckoning) *incident {
	if from.busy {
		return nil
	}
	if wanted := target.When.NotReadyFor; wanted != nil {
		return notReady(pod, wanted.Duration, from)
	}
	return crashOf(target, pod, from.since)
}

// add takes account of what a pod did. A crash is believed whatever the time is: its node's clock may be ahead.
func (s *survey) add(spec *v1alpha1.DebugSessionSpec, found *incident, now time.Time) {
	switch {
	case found == nil:
	case !spec.Target.When.Crashed && found.at.After(now):
		if s.next.IsZero() || found.at.Before(s.next) {
			s.next = found.at
		}
	case startsIn(spec, found.pod):
		s.first = earliest(s.first, found)
	default:
		s.missed = earliest(s.missed, found)
	}
}

// startsIn reports whether a debugger can be started for the pod.
func startsIn(spec *v1alpha1.DebugSessionSpec, pod *corev1.Pod) bool {
	return modeOf(spec).suits(&spec.Target, pod) && (makesPod(spec) || refuseEphemeral(pod) == nil)
}

// earliest is what happened first, always the same for the same pods.
func earliest(a, b *incident) *incident {
	if a == nil || cmp.Or(b.at.Compare(a.at), cmp.Compare(b.pod.Name, a.pod.Name)) < 0 {
		return b
	}
	return a
}

// crashOf is the last crash of one of the pod's containers, if it came after since; nil if none did. An end of which the kubelet does not say
// when it was is no news.
func crashOf(target *v1alpha1.Target, pod *corev1.Pod, since time.Time) *incident {
	var crashed *incident
	for _, status := range countedStatuses(target, pod) {
		ended := crash(&status)
		if ended == nil || !ended.FinishedAt.After(since) {
			continue
		}
		crashed = earliest(crashed, &incident{pod, ended.FinishedAt.Time, fmt.Sprintf("%s crashed: container %q ended (%s) at %s",
			pod.Name, status.Name, diagnosis.End(&status, ended), plaintext.Clock(ended.FinishedAt.Time))})
	}
	return crashed
}

// countedStatuses are the containers whose crash counts: the one that is named, else all but init containers that are no sidecars.
func countedStatuses(target *v1alpha1.Target, pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.DeleteFunc(slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses), func(s corev1.ContainerStatus) bool {
		if target.Container != "" {
			return s.Name != target.Container
		}
		return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == s.Name && !debugpod.IsSidecar(&c) })
	})
}

// crash is how the container crashed last: it ended badly, or was started again, however it ended. Nil if it did not.
func crash(status *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 {
		return ended
	}
	return status.LastTerminationState.Terminated
}

// notReady is when the pod will have been not ready for so long; nil if it is ready, has finished, or its kubelet has not said, or if it has
// not become ready since that was answered.
func notReady(pod *corev1.Pod, wanted time.Duration, from reckoning) *incident {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	if i < 0 || pod.Status.Conditions[i].Status == corev1.ConditionTrue || hasFinished(pod) {
		return nil
	}
	condition := &pod.Status.Conditions[i]
	if !from.answered.IsZero() && !condition.LastTransitionTime.After(from.answered) {
		return nil
	}
	since := later(from.since, &condition.LastTransitionTime)
	what := fmt.Sprintf("%s was not ready for %s at %s", pod.Name, v1alpha1.FormatDuration(wanted), plaintext.Clock(since.Add(wanted)))
	return &incident{pod, since.Add(wanted), appended(": ", what, appended(": ", condition.Reason, condition.Message))}
}
