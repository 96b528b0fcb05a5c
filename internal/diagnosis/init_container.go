package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/internal/debugpod"
)

// pendingInit is the init container, or sidecar, that a pod's other containers wait for: the first that has begun and is not done,
// or "". The kubelet runs them in their order.
func pendingInit(pod *corev1.Pod) string {
	for i := range pod.Spec.InitContainers {
		status := initStatus(pod, pod.Spec.InitContainers[i].Name)
		if status == nil || initDone(&pod.Spec.InitContainers[i], status) {
			continue
		}
		if waiting := status.State.Waiting; waiting != nil && waiting.Reason == podInitializing && status.LastTerminationState.Terminated == nil {
			return "" // nobody has begun with it: what the pod waits for is something else
		}
		return status.Name
	}
	return ""
}

func initStatus(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	i := slices.IndexFunc(pod.Status.InitContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &pod.Status.InitContainerStatuses[i]
}

func initDone(container *corev1.Container, status *corev1.ContainerStatus) bool {
	if debugpod.IsSidecar(container) {
		return status.Started != nil && *status.Started
	}
	return status.State.Terminated != nil && status.State.Terminated.ExitCode == 0
}

// describeInit is where an init container stands that is not done, and since when.
func describeInit(pod *corev1.Pod, name string) string {
	i := slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == name })
	container, state := &pod.Spec.InitContainers[i], initStatus(pod, name).State
	noun := "init container"
	if debugpod.IsSidecar(container) {
		noun = "sidecar"
	}
	switch {
	case state.Running != nil && debugpod.IsSidecar(container):
		return fmt.Sprintf("%s %q has been running since %s, but its startup probe has not succeeded", noun, name, clock(state.Running.StartedAt.Time))
	case state.Running != nil:
		return fmt.Sprintf("%s %q has been running since %s, and the other containers wait for it to finish", noun, name, clock(state.Running.StartedAt.Time))
	case state.Terminated != nil:
		return fmt.Sprintf("%s %q ended with exit code %d at %s", noun, name, state.Terminated.ExitCode, clock(state.Terminated.FinishedAt.Time))
	default:
		return fmt.Sprintf("%s %q has not started: %s", noun, name, waitingWords(state.Waiting))
	}
}

func waitingWords(waiting *corev1.ContainerStateWaiting) string {
	if waiting == nil {
		return "its state is unknown"
	}
	return strings.TrimSuffix(waiting.Reason+": "+waiting.Message, ": ")
}
