package diagnosis

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// StartupHint is what may hold a pod up without its status saying so. Volumes that cannot be attached, for one, are told in
// events alone.
func StartupHint(spec *v1alpha1.DebugSessionSpec, pod *corev1.Pod) string {
	init, volumes := pendingInit(pod), claims(pod)
	switch {
	case pod.Spec.NodeName != "" && pod.Status.StartTime == nil:
		return fmt.Sprintf(": its kubelet has not picked it up; check that node %q is ready", pod.Spec.NodeName)
	case init != "":
		return fmt.Sprintf(": %s; see kubectl logs -n %s %s -c %s; remove InitContainers from podCopy.keep if the copy does not need them",
			describeInit(pod, init), pod.Namespace, pod.Name, init)
	case spec.Mode != v1alpha1.ModeEphemeralContainer && len(volumes) > 0:
		return fmt.Sprintf(": it may be waiting for the volumes of %s, which another node may hold; set podCopy.sameNode to place the copy on the target's node; see kubectl describe pod %s",
			strings.Join(volumes, ", "), pod.Name)
	default:
		return fmt.Sprintf(": see kubectl describe pod %s", pod.Name)
	}
}

func claims(pod *corev1.Pod) []string {
	var names []string
	for i := range pod.Spec.Volumes {
		if claim := pod.Spec.Volumes[i].PersistentVolumeClaim; claim != nil {
			names = append(names, claim.ClaimName)
		}
	}
	return names
}
