package plan

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// A pod with activeDeadlineSeconds is ended by its kubelet that long after it was started, and so is a copy of it: no session says that
// it lasts longer.

// targetDeadline is when the pod that the debugger runs in ends by what its target says; nil if that says nothing. A copy begins anew.
// A pod that its kubelet has not begun with ends later than is said here, never earlier.
func (p *pass) targetDeadline(target *corev1.Pod) *metav1.Time {
	if target == nil || target.Spec.ActiveDeadlineSeconds == nil {
		return nil
	}
	from := p.Now
	if started := target.Status.StartTime; started != nil && p.inTarget() {
		from = started.Time
	}
	return timestamp(from.Add(time.Duration(*target.Spec.ActiveDeadlineSeconds) * time.Second))
}

// inTarget reports whether the debugger is in the target itself, or in its network, and not in a copy.
func (p *pass) inTarget() bool { return !makesPod(p.spec()) || p.spec().Target.IsPodNetwork() }

// notPastTarget is a time, or when the target ends if that is earlier.
func (p *pass) notPastTarget(end time.Time) time.Time {
	if target := p.status().Target; target != nil && target.Deadline != nil && target.Deadline.Time.Before(end) {
		return target.Deadline.Time
	}
	return end
}

// followTarget moves the end to where somebody has shortened the target's time.
func (p *pass) followTarget(pod *corev1.Pod) {
	status, now := p.status(), p.targetDeadline(pod)
	if now == nil || status.Target.Deadline != nil && !now.Before(status.Target.Deadline) {
		return
	}
	status.Target.Deadline = now
	p.moveEnd(p.notPastTarget(status.ExpiresAt.Time))
	p.wake(status.ExpiresAt.Time)
}

// overdue refuses a pod that its node is about to end.
func overdue(target *corev1.Pod) *Refusal {
	return refuse(v1alpha1.ReasonTargetFinished, "pod %q has reached its activeDeadlineSeconds (%d) and is being terminated; name another pod, or use mode: PodCopy",
		target.Name, *target.Spec.ActiveDeadlineSeconds)
}

// becauseOfTarget says why the session ends no later, if that is why.
func (p *pass) becauseOfTarget() string {
	status := p.status()
	if status.Target.Deadline == nil || !status.ExpiresAt.Equal(status.Target.Deadline) {
		return ""
	}
	if !p.inTarget() {
		if status.Target.WorkloadUID != "" {
			return ", as the copy has the activeDeadlineSeconds of the pod template of " + status.Target.Name
		}
		return fmt.Sprintf(", as the copy has the activeDeadlineSeconds of pod %q", status.Target.PodName)
	}
	return fmt.Sprintf(", as activeDeadlineSeconds ends pod %q then", status.Target.PodName)
}
