package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/internal/diagnosis"
)

// lostForMemory tells of a debugger that was killed for memory, and which limit that was.
func (p *pass) lostForMemory(c container, pod *corev1.Pod) string {
	message := fmt.Sprintf("container %q in pod %q ran out of memory (OOMKilled, exit code %d)", p.status().Debugger.ContainerName, pod.Name, c.ended.ExitCode)
	if c.ended.ExitCode != diagnosis.ExitKilled {
		message = fmt.Sprintf("a process of container %q in pod %q ran out of memory (OOMKilled), and the debugger ended with exit code %d",
			p.status().Debugger.ContainerName, pod.Name, c.ended.ExitCode)
	}
	message += ": " + diagnosis.MemoryLimit(p.spec(), pod, p.status().Debugger.ContainerName)
	if name := p.status().Target.Container; name != "" && endedWith(pod, name, c.ended) != nil {
		message += fmt.Sprintf("; container %q ended at the same time", name)
	}
	return message
}
