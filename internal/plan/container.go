package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
)

// container is where the debugger's container stands, as its pod's status tells.
type container struct {
	state   v1alpha1.DebuggerState
	reason  string // the kubelet's, for a container that waits or never ran
	message string
	image   string
	imageID string
	started metav1.Time
	ended   *corev1.ContainerStateTerminated
	again   bool // it has ended, and was started again or is about to be
}

// readEphemeral finds an ephemeral container; ok is false if the pod has none of that name.
func readEphemeral(pod *corev1.Pod, name string) (c container, ok bool) {
	if !slices.ContainsFunc(pod.Spec.EphemeralContainers, func(e corev1.EphemeralContainer) bool { return e.Name == name }) {
		return container{}, false
	}
	c = readStatus(pod.Status.EphemeralContainerStatuses, name)
	// What could not be started waits too, with how that failed as its last state: the kubelet would restart any other container.
	if !c.again || diagnosis.NotStartable(c.ended.Reason) {
		return c, true
	}
	// A kubelet never restarts an ephemeral container, but it makes one anew that was removed from the runtime.
	again := container{state: v1alpha1.DebuggerWaiting, image: c.image, imageID: c.imageID, again: true}
	for _, status := range pod.Status.EphemeralContainerStatuses {
		if running := status.State.Running; status.Name == name && running != nil {
			again.state, again.started = v1alpha1.DebuggerRunning, running.StartedAt
		}
	}
	return again, true
}

// readMade finds the debugger in a pod that was made for it. Until the kubelet speaks of it, the scheduler's word counts.
func readMade(pod *corev1.Pod, name string) container {
	c := readStatus(slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses), name)
	if c.state != v1alpha1.DebuggerWaiting || pod.Spec.NodeName != "" {
		return blameInit(pod, c)
	}
	return c.scheduled(pod)
}

// scheduled is a container that waits for its pod to be placed, with what the scheduler says of that.
func (c container) scheduled(pod *corev1.Pod) container {
	for i := range pod.Status.Conditions {
		cond := &pod.Status.Conditions[i]
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
			c.reason, c.message = v1alpha1.ReasonUnschedulable, cond.Message
			if cond.Reason != corev1.PodReasonUnschedulable && cond.Reason != "" {
				c.reason = cond.Reason
			}
		}
	}
	return c
}

// blameInit names the init container that a waiting debugger waits for, if one is in trouble.
func blameInit(pod *corev1.Pod, c container) container {
	if c.state != v1alpha1.DebuggerWaiting || !diagnosis.WaitsForInit(c.reason) {
		return c
	}
	for i := range pod.Status.InitContainerStatuses {
		init := &pod.Status.InitContainerStatuses[i]
		if w := init.State.Waiting; w != nil && !diagnosis.OnItsWay(w.Reason) {
			blamed := container{reason: w.Reason, message: w.Message}.steady()
			c.reason, c.message = blamed.reason, fmt.Sprintf("init container %q: %s", init.Name, blamed.message)
			return c
		}
	}
	return c
}

func readStatus(statuses []corev1.ContainerStatus, name string) container {
	i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == name })
	if i < 0 {
		return container{state: v1alpha1.DebuggerWaiting}
	}
	status := &statuses[i]
	c := container{state: v1alpha1.DebuggerWaiting, image: status.Image, imageID: status.ImageID}
	terminated := status.State.Terminated
	if terminated == nil {
		// In a copy of a pod that restarts its containers, the debugger is restarted too. It has ended all the same.
		terminated, c.again = status.LastTerminationState.Terminated, status.LastTerminationState.Terminated != nil
	}
	switch {
	case terminated != nil:
		c.state, c.ended, c.started = v1alpha1.DebuggerTerminated, terminated, terminated.StartedAt
		if c.started.Unix() <= 0 || diagnosis.NotStartable(terminated.Reason) { // the runtime may tell when it tried
			c.started = metav1.Time{}
		}
	case status.State.Running != nil:
		c.state, c.started = v1alpha1.DebuggerRunning, status.State.Running.StartedAt
	case status.State.Waiting != nil:
		c.reason, c.message = status.State.Waiting.Reason, status.State.Waiting.Message
	}
	return c
}

const (
	// notStarted is what the deadline wrapper says when it has not started the command.
	notStarted = debugpod.MessagePrefix + "not started: "

	// givesUp is how long it may take to say so. A command that runs can write the same, but not undo that it ran for longer.
	givesUp = 10 * time.Second
)

// neverRan reports whether a container ended without having run its command: the runtime could not start it, or the deadline
// wrapper did not.
func (c container) neverRan() bool {
	if c.ended == nil {
		return false
	}
	return diagnosis.NotStartable(c.ended.Reason) || gaveUp(c.ended.Message, c.ended.StartedAt, c.ended.FinishedAt)
}

// gaveUp reports whether the deadline wrapper has not started the command.
func gaveUp(words string, started, finished metav1.Time) bool {
	return strings.Contains(words, notStarted) && finished.Sub(started.Time) <= givesUp
}

// failure is why the debugger's container never ran, in one word and in a sentence that says what to do.
func (p *pass) failure(c container) (reason, message string) {
	if _, why, wrapper := strings.Cut(c.ended.Message, notStarted); wrapper {
		return v1alpha1.ReasonNotStarted, strings.TrimSpace(why)
	}
	return diagnosis.StartFailure(p.spec(), cmp.Or(p.status().Class.Image, c.image), c.ended)
}

// troubled reports whether a waiting container has a problem, rather than being on its way.
func (c container) troubled() bool {
	return !diagnosis.OnItsWay(c.reason)
}

// steady gives one name to reasons that the kubelet shows in turn: a status that followed them would be written for ever.
func (c container) steady() container {
	c.reason, c.message = diagnosis.Steady(c.reason, c.message)
	return c
}

// record writes what is known of the container into the session's status.
func (c container) record(status *v1alpha1.DebuggerStatus) {
	status.State = c.state
	if c.image != "" {
		status.Image = sanitizeText(c.image, maxText)
	}
	if c.imageID != "" {
		status.ImageID = sanitizeText(c.imageID, maxText)
	}
	if !c.started.IsZero() {
		status.StartedAt = timestamp(c.started.Time)
	}
	if c.ended != nil {
		if !c.ended.FinishedAt.IsZero() {
			status.FinishedAt = timestamp(c.ended.FinishedAt.Time)
		}
		status.ExitCode = &c.ended.ExitCode
		status.Message = sanitizeText(c.ended.Message, maxText)
	}
}
