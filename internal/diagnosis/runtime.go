package diagnosis

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// ExitKilled is the exit code of a process that was ended by SIGKILL.
const ExitKilled = 137

// NotStartable reports whether a reason is a container runtime's for a container that it could not start.
func NotStartable(reason string) bool {
	return reason == "StartError" || reason == "ContainerCannotRun" || reason == "ContainerCreateError"
}

// LacksShell reports whether a container runtime's words are that there is no shell in a container.
func LacksShell(words string) bool { return strings.Contains(words, `exec: "sh"`) }

// BlamesCommand reports whether a container runtime's words on a container that it cannot start are about the program that it was to run.
func BlamesCommand(words string) bool { return strings.Contains(words, "exec: ") }

// ContainerStopped reports whether the kubelet's or a container runtime's words on a command that was to be run in a container are that
// the container has ended.
func ContainerStopped(words string) bool {
	return strings.Contains(words, "container not found") || strings.Contains(words, "cannot exec in a stopped")
}

// LacksProgram reports whether a container runtime's words on a command that was to be run in a container are that its image has no such
// program.
func LacksProgram(words string) bool { return strings.Contains(words, "executable file not found") }

// LacksSleep reports whether a container that was to sleep cannot, since its image has no sleep.
func LacksSleep(state corev1.ContainerState) bool {
	const words = `exec: "sleep"`
	return state.Waiting != nil && strings.Contains(state.Waiting.Message, words) ||
		state.Terminated != nil && strings.Contains(state.Terminated.Message, words)
}

// Lost reports whether a node knows no more of how a container ended than that it does not run: so containerd says it of what ran
// before the machine was started anew, and so the kubelet of what it does not find at all.
func Lost(ended *corev1.ContainerStateTerminated) bool {
	const byContainerd, code = "Unknown", 255
	return ended.Reason == byContainerd && ended.ExitCode == code || ended.Reason == ContainerStatusUnknown
}

// StartFailure is why the debugger's container never ran, in one word and in a sentence that says what to do.
func StartFailure(spec *v1alpha1.DebugSessionSpec, image string, ended *corev1.ContainerStateTerminated) (reason, message string) {
	if spec.Mode == v1alpha1.ModeEphemeralContainer && LacksShell(ended.Message) {
		return ended.Reason, fmt.Sprintf("%s; %s has no shell, which is needed to end an ephemeral debugger in time; "+
			"set debugger.image to one with a shell, use mode: PodCopy, or set debugger.unstoppable if the class allows it", ended.Message, image)
	}
	if len(spec.Debugger.Artifacts) > 0 && LacksShell(ended.Message) {
		return ended.Reason, fmt.Sprintf("%s; %s has no shell, which is needed to hold the debugger until its artifacts are read; "+
			"set debugger.image to one with a shell, or remove debugger.artifacts", ended.Message, image)
	}
	if strings.Contains(ended.Message, "OOM-killed") {
		return OOMKilled, fmt.Sprintf("%s; raise %s", ended.Message, debuggerField(spec, "resources.limits.memory"))
	}
	return ended.Reason, fmt.Sprintf("%s; set %s to a program that %s has", ended.Message, debuggerField(spec, "command"), image)
}
