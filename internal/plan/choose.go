package plan

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// choose picks one of several pods, always the same one for the same pods, and says why. It returns nil if none fits.
func choose(target *v1alpha1.Target, mode mode, pods []corev1.Pod) (*corev1.Pod, string) {
	var fit []*corev1.Pod
	for i := range pods {
		if suits(&pods[i], target, mode) {
			fit = append(fit, &pods[i])
		}
	}
	if len(fit) == 0 {
		return nil, ""
	}
	best := slices.MinFunc(fit, func(a, b *corev1.Pod) int { return compare(a, b, target.Pick) })
	return best, explain(best, target.Pick, len(fit))
}

// suits reports whether a pod may be chosen.
func suits(pod *corev1.Pod, target *v1alpha1.Target, mode mode) bool {
	if madeBySession(pod) != nil || !mode.suits(target, pod) {
		return false // among them a copy that kept its labels
	}
	switch target.Pick {
	case v1alpha1.PickReady:
		return ready(pod)
	case v1alpha1.PickUnhealthy:
		return !ready(pod)
	default:
		return true
	}
}

func compare(a, b *corev1.Pod, pick v1alpha1.Pick) int {
	byAge := b.CreationTimestamp.Time.Compare(a.CreationTimestamp.Time) // newest first
	if pick == v1alpha1.PickOldest {
		byAge = -byAge
	}
	byHealth := 0
	if pick == "" {
		byHealth = cmp.Compare(rank(a), rank(b))
	}
	return cmp.Or(byHealth, byAge, cmp.Compare(a.Name, b.Name))
}

func rank(pod *corev1.Pod) int {
	if ready(pod) {
		return 1
	}
	return 0
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// unsuitable says why there is nothing to choose, and what can be done about it.
func unsuitable(spec *v1alpha1.DebugSessionSpec, pods int) string {
	target := &spec.Target
	from := "spec.target.selector"
	if target.Workload != nil {
		from = fmt.Sprintf("%s %q", target.Workload.Kind, target.Workload.Name)
	}
	switch {
	case pods == 0 && target.Workload != nil && spec.Mode == v1alpha1.ModeEphemeralContainer:
		return from + " has no pods: check its replicas and its events; if it is to have none, use mode: PodCopy, which copies its pod template"
	case pods == 0 && target.Workload != nil:
		return from + " has no pods: check its replicas and its events"
	case pods == 0:
		return fmt.Sprintf("no pod matches %s (%s)", from, metav1.FormatLabelSelector(target.Selector))
	case target.Pick == v1alpha1.PickReady:
		return fmt.Sprintf("none of the %d pods of %s is ready; remove spec.target.pick to accept one that is not", pods, from)
	case target.Pick == v1alpha1.PickUnhealthy:
		return fmt.Sprintf("each of the %d pods of %s is ready; remove spec.target.pick to accept one that is", pods, from)
	default:
		return fmt.Sprintf("none of the %d pods of %s can be joined: each is unscheduled, terminating or finished", pods, from)
	}
}

func explain(pod *corev1.Pod, pick v1alpha1.Pick, of int) string {
	state := "not ready"
	if ready(pod) {
		state = "ready"
	}
	rule := string(pick)
	if rule == "" {
		rule = "Unhealthy, then Newest"
	}
	return fmt.Sprintf("%s of %d pods, by %s; it was %s", pod.Name, of, rule, state)
}
