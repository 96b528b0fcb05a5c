// Package fakekubelet plays the kubelet in tests: it says of a pod what a kubelet would. It is pure: a pod and the time go in, and the pod's
// status comes out. Package live writes that to an API server.
package fakekubelet

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/internal/debugpod"
)

const (
	// Image is what a container status says of a container's image.
	Image = "registry.example/busybox:1.36"

	// ImageID is its digest there.
	ImageID = "registry.example/busybox@sha256:c0ffee"

	// exitKilled is the exit code of a process that SIGKILL ended.
	exitKilled = 137
)

// Running is a container that runs since that moment.
func Running(since time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}}
}

// Waiting is a container that does not run yet, and why.
func Waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// Exited is a container that ended at that moment, a minute after it had started.
func Exited(at time.Time, code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: metav1.NewTime(at.Add(-time.Minute)), FinishedAt: metav1.NewTime(at),
	}}
}

// Killed is a container that SIGKILL ended.
func Killed(at time.Time) corev1.ContainerState { return Exited(at, exitKilled, "Error", "") }

// AtDeadline is a debugger that the wrapper around its command ended.
func AtDeadline(at time.Time) corev1.ContainerState {
	return Exited(at, debugpod.ExitDeadline, "Error", debugpod.AtDeadline+"\n")
}

// Replace is a pod's list of statuses in which the kubelet says that of a container. How it ended before stays said.
func Replace(statuses []corev1.ContainerStatus, container string, state corev1.ContainerState) []corev1.ContainerStatus {
	next := corev1.ContainerStatus{Name: container, Image: Image, ImageID: ImageID, State: state}
	if i := indexOf(statuses, container); i >= 0 {
		next.LastTerminationState = statuses[i].LastTerminationState
	}
	return append(slices.DeleteFunc(slices.Clone(statuses), func(s corev1.ContainerStatus) bool { return s.Name == container }), next)
}

// Set has the kubelet say that of a container of the pod, of whichever kind.
func Set(pod *corev1.Pod, container string, state corev1.ContainerState) {
	statuses := statusesOf(pod, container)
	*statuses = Replace(*statuses, container, state)
}

// State is what the kubelet said of a container last; nothing at first.
func State(pod *corev1.Pod, container string) corev1.ContainerState {
	statuses := *statusesOf(pod, container)
	i := indexOf(statuses, container)
	if i < 0 {
		return corev1.ContainerState{}
	}
	return statuses[i].State
}

// Start has the pod run, with every container of which nothing has been said. Its init containers are left as they are.
func Start(pod *corev1.Pod, now time.Time) {
	pod.Status.Phase = corev1.PodRunning
	for i := range pod.Spec.Containers {
		start(pod, pod.Spec.Containers[i].Name, now)
	}
	for i := range pod.Spec.EphemeralContainers {
		start(pod, pod.Spec.EphemeralContainers[i].Name, now)
	}
}

func start(pod *corev1.Pod, container string, now time.Time) {
	if indexOf(*statusesOf(pod, container), container) >= 0 {
		return
	}
	Set(pod, container, Running(now))
	statuses := *statusesOf(pod, container)
	statuses[len(statuses)-1].Ready, statuses[len(statuses)-1].Started = true, new(true)
}

// Exit ends a container's main process. One that has ended stays as it is, and one that ran has started when it did.
func Exit(pod *corev1.Pod, container string, ended corev1.ContainerState) {
	if before := State(pod, container); before.Terminated == nil {
		Set(pod, container, endOf(before, ended))
	}
}

// endOf is how a container ends: if it ran, it had started when it did.
func endOf(before, ended corev1.ContainerState) corev1.ContainerState {
	if before.Running != nil {
		ended = *ended.DeepCopy()
		ended.Terminated.StartedAt = before.Running.StartedAt
	}
	return ended
}

// Recreate has the runtime lose a container, which the kubelet makes anew.
func Recreate(pod *corev1.Pod, container string) {
	Set(pod, container, Waiting("ContainerCreating", ""))
	statuses := *statusesOf(pod, container)
	statuses[len(statuses)-1].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: exitKilled, Reason: "ContainerStatusUnknown"}
}

// PassDeadline ends a pod whose activeDeadlineSeconds are over.
func PassDeadline(pod *corev1.Pod) {
	pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "DeadlineExceeded"
	pod.Status.Message = "Pod was active on the node longer than the specified deadline"
}

func statusesOf(pod *corev1.Pod, container string) *[]corev1.ContainerStatus {
	switch {
	case slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == container }):
		return &pod.Status.InitContainerStatuses
	case slices.ContainsFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == container }):
		return &pod.Status.EphemeralContainerStatuses
	default:
		return &pod.Status.ContainerStatuses
	}
}

func indexOf(statuses []corev1.ContainerStatus, container string) int {
	return slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == container })
}
