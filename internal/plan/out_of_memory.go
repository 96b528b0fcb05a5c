package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/internal/debugpod"
)

// outOfMemory is the kubelet's reason for the end of a container in which something was killed for memory.
const outOfMemory = "OOMKilled"

// killedForMemory reports whether that ended the debugger. A command that ended well has outlived what was killed beside it.
func (c container) killedForMemory() bool {
	return c.ended != nil && c.ended.Reason == outOfMemory && c.ended.ExitCode != 0
}

// lostForMemory tells of a debugger that was killed for memory, and which limit that was.
func (p *pass) lostForMemory(c container, pod *corev1.Pod) string {
	message := fmt.Sprintf("container %q in pod %q was killed for memory (OOMKilled, exit code %d)", p.status().Debugger.ContainerName, pod.Name, c.ended.ExitCode)
	if c.ended.ExitCode != killed {
		message = fmt.Sprintf("a process of container %q in pod %q was killed for memory (OOMKilled), and the debugger ended with exit code %d",
			p.status().Debugger.ContainerName, pod.Name, c.ended.ExitCode)
	}
	message += ": " + p.memoryLimit(pod)
	if name := p.status().Target.Container; name != "" && endedWith(pod, name, c.ended) != nil {
		message += fmt.Sprintf("; container %q ended at the same time", name)
	}
	return message
}

// memoryLimit is the limit that the debugger of a pod has reached, and what can be done about it.
func (p *pass) memoryLimit(pod *corev1.Pod) string {
	field := p.debuggerField("resources.limits.memory")
	if limit := debugpod.MemoryLimit(pod, p.status().Debugger.ContainerName); limit != nil {
		return fmt.Sprintf("it reached its limit of %s; set %s to more", limit, field)
	}
	remedy := "have it use less, or use mode: PodCopy with " + field
	if makesPod(p.spec()) {
		remedy = "have it use less, or set " + field
	}
	if limit, whose := podMemoryLimit(pod); limit != nil {
		return fmt.Sprintf("it has no limit of its own, and pod %q reached %s of %s; %s", pod.Name, whose, limit, remedy)
	}
	return fmt.Sprintf("neither it nor pod %q has a limit, so node %q had no memory left; %s", pod.Name, pod.Spec.NodeName, remedy)
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
