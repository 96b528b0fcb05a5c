package plan

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// sleepless tells of containers of the copy that are to sleep and cannot, since their image has no sleep: the debugger
// runs beside them all the same. The runtime has no code for it but its words.
func (p *pass) sleepless(pod *corev1.Pod) string {
	options := p.spec().PodCopy
	if options == nil || len(options.Quiesce) == 0 {
		return ""
	}
	var names []string
	for _, status := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if cannotSleep(status.State) || cannotSleep(status.LastTerminationState) {
			names = append(names, status.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("; the image of %s has no sleep: its application does not run, nor does anything else in it; to have it wait, set with: %s in podCopy.quiesce of a new session",
		strings.Join(names, ", "), v1alpha1.QuiesceWithOperatorImage)
}

func cannotSleep(state corev1.ContainerState) bool {
	const words = `exec: "sleep"`
	return state.Waiting != nil && strings.Contains(state.Waiting.Message, words) ||
		state.Terminated != nil && strings.Contains(state.Terminated.Message, words)
}
