package diagnosis

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// OOMKilled is the kubelet's reason for the end of a container in which something was killed for memory.
const OOMKilled = "OOMKilled"

// KilledForMemory reports whether that ended the container; it may be nil. A command that ended well has outlived what was killed beside it.
func KilledForMemory(ended *corev1.ContainerStateTerminated) bool {
	return ended != nil && ended.Reason == OOMKilled && ended.ExitCode != 0
}

// MemoryLimit is the limit that the debugger of a pod has reached, and what can be done about it.
func MemoryLimit(spec *v1alpha1.DebugSessionSpec, pod *corev1.Pod, debugger string) string {
	field := debuggerField(spec, "resources.limits.memory")
	if limit := debugpod.MemoryLimit(pod, debugger); limit != nil {
		return fmt.Sprintf("it reached its limit of %s; raise %s", limit, field)
	}
	remedy := "use less memory, or use mode: PodCopy with " + field
	if spec.Mode != v1alpha1.ModeEphemeralContainer {
		remedy = "use less memory, or set " + field
	}
	if limit, whose := podMemoryLimit(pod); limit != nil {
		return fmt.Sprintf("it has no limit of its own, and pod %q reached %s of %s; %s", pod.Name, whose, limit, remedy)
	}
	return fmt.Sprintf("neither it nor pod %q has a limit, so node %q ran out of memory; %s", pod.Name, pod.Spec.NodeName, remedy)
}

// podMemoryLimit is what all containers of a pod may use together, the debugger included.
func podMemoryLimit(pod *corev1.Pod) (limit *resource.Quantity, whose string) {
	if own := pod.Spec.Resources; own != nil {
		if memory, set := own.Limits[corev1.ResourceMemory]; set {
			return &memory, "its limit"
		}
	}
	if sum := debugpod.MemoryLimits(pod); sum != nil {
		return sum, "the sum of its containers' limits"
	}
	return nil, ""
}
