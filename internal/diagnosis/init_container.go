package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plaintext"
)

// firstInit is the first of a pod's init containers, and sidecars, that is not done and comes before the container of that name, or
// before all that are none; nil if there is none. The kubelet runs them in their order. It may say nothing of it yet.
func firstInit(pod *corev1.Pod, before string) (*corev1.Container, *corev1.ContainerStatus) {
	for i := range pod.Spec.InitContainers {
		container := &pod.Spec.InitContainers[i]
		if container.Name == before {
			return nil, nil
		}
		if status := initStatus(pod, container.Name); status == nil || !initDone(container, status) {
			return container, status
		}
	}
	return nil, nil
}

// pendingInit is the init container that a pod's other containers wait for, if the kubelet has begun with it, or "".
func pendingInit(pod *corev1.Pod) string {
	_, status := firstInit(pod, "")
	if status == nil {
		return ""
	}
	if waiting := status.State.Waiting; waiting != nil && waiting.Reason == podInitializing && status.LastTerminationState.Terminated == nil {
		return "" // nobody has begun with it: what the pod waits for is something else
	}
	return status.Name
}

// WhyWaiting says why the kubelet has not started a container of a pod, with the status that it has: which init container it has not got
// past, or else what is wrong with the container itself; empty if it is on its way.
func WhyWaiting(pod *corev1.Pod, status *corev1.ContainerStatus) string {
	if init, before := firstInit(pod, status.Name); init != nil {
		return waitsForInit(init, before)
	}
	return trouble(status)
}

func waitsForInit(init *corev1.Container, status *corev1.ContainerStatus) string {
	name := fmt.Sprintf("init container %q", init.Name)
	if status == nil {
		return fmt.Sprintf("it waits for %s", name)
	}
	running, ended := status.State.Running, LastEnd(status)
	switch {
	case running != nil && debugpod.IsSidecar(init):
		return fmt.Sprintf("it waits for %s, which has been running since %s, but whose startup probe has not succeeded", name, plaintext.Clock(running.StartedAt.Time))
	case running != nil:
		return fmt.Sprintf("it waits for %s, which has been running since %s; to debug that one, name it in spec.target.container", name, plaintext.Clock(running.StartedAt.Time))
	case ended != nil:
		return fmt.Sprintf("it waits for %s, which fails (%s)", name, End(status, ended))
	default:
		return strings.TrimSuffix(fmt.Sprintf("it waits for %s: %s", name, trouble(status)), ": ")
	}
}

// trouble is the kubelet's word on a container that it cannot start; empty if it is on its way.
func trouble(status *corev1.ContainerStatus) string {
	waiting := status.State.Waiting
	if waiting == nil {
		return ""
	}
	reason, message := Steady(waiting.Reason, waiting.Message)
	if OnItsWay(reason) {
		return ""
	}
	return strings.TrimSuffix(reason+": "+message, ": ")
}

// LastEnd is how a container that does not run ended last; nil if it runs, or never has.
func LastEnd(status *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	switch {
	case status.State.Terminated != nil:
		return status.State.Terminated
	case status.State.Running == nil:
		return status.LastTerminationState.Terminated
	default:
		return nil
	}
}

// End says how a container ended, and how often it was restarted.
func End(status *corev1.ContainerStatus, ended *corev1.ContainerStateTerminated) string {
	how := fmt.Sprintf("exit code %d", ended.ExitCode)
	if ended.Reason != "" {
		how = ended.Reason + ", " + how
	}
	switch status.RestartCount {
	case 0:
		return how
	case 1:
		return how + "; restarted once"
	default:
		return fmt.Sprintf("%s; restarted %d times", how, status.RestartCount)
	}
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
		return fmt.Sprintf("%s %q has been running since %s, but its startup probe has not succeeded", noun, name, plaintext.Clock(state.Running.StartedAt.Time))
	case state.Running != nil:
		return fmt.Sprintf("%s %q has been running since %s, and the other containers wait for it to finish", noun, name, plaintext.Clock(state.Running.StartedAt.Time))
	case state.Terminated != nil:
		return fmt.Sprintf("%s %q ended with exit code %d at %s", noun, name, state.Terminated.ExitCode, plaintext.Clock(state.Terminated.FinishedAt.Time))
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
