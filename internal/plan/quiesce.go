package plan

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/diagnosis"
)

// sleepless tells of containers of the copy that are to sleep and cannot, since their image has no sleep: the debugger
// runs beside them all the same.
func (p *pass) sleepless(pod *corev1.Pod) string {
	options := p.spec().PodCopy
	if options == nil || len(options.Quiesce) == 0 {
		return ""
	}
	var names []string
	for _, status := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if diagnosis.LacksSleep(status.State) || diagnosis.LacksSleep(status.LastTerminationState) {
			names = append(names, status.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("; the image of %s has no sleep command, so nothing runs in it; to keep it waiting, set with: %s in podCopy.quiesce of a new session",
		strings.Join(names, ", "), v1alpha1.QuiesceWithOperatorImage)
}
