package debugpod

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// mostPod is how large a pod may become by a debugger. etcd keeps no object of more than a megabyte and a half, and what is left
// above this is for what the kubelet and others have to write into the pod.
const mostPod = 1 << 20

// CheckPodSize returns an *InvalidError if the debugger would make the target too large. An ephemeral container cannot be removed, so that each
// leaves some 8 kB in its pod, and a kubelet that cannot write a pod's status any more cannot say that its application is unwell,
// nor that a debugger has ended.
func CheckPodSize(container *corev1.EphemeralContainer, target *corev1.Pod) error {
	if size := target.Size() + container.Size(); size > mostPod {
		return &InvalidError{
			Field: "spec.target",
			Message: fmt.Sprintf("this debugger would grow pod %q to %d kB, with %d debuggers, and its node could no longer report its status; "+
				"replace the pod, or use mode: PodCopy", target.Name, size>>10, len(target.Spec.EphemeralContainers)+1),
		}
	}
	return nil
}
