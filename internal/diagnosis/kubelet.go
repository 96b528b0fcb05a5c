package diagnosis

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// The kubelet's reasons of containers and pods, for which the API has no constants.
const (
	// ContainerStatusUnknown is that of a container which it does not find in the runtime.
	ContainerStatusUnknown = "ContainerStatusUnknown"

	// RestartingAllContainers is that of containers which it removed to restart all of a pod's: it says no more of how they ended.
	RestartingAllContainers = "RestartingAllContainers"

	// DeadlineExceeded is that of a pod whose activeDeadlineSeconds are over.
	DeadlineExceeded = "DeadlineExceeded"

	podInitializing   = "PodInitializing"
	containerCreating = "ContainerCreating"
)

// invalidTarget is how the kubelet begins to say that the container which a debugger is to join does not run.
const invalidTarget = "invalid target container"

// OnItsWay reports whether a container that waits for that reason has no problem.
func OnItsWay(reason string) bool {
	return reason == "" || reason == containerCreating || WaitsForInit(reason)
}

// WaitsForInit reports whether a container that waits for that reason waits for its pod's init containers.
func WaitsForInit(reason string) bool { return reason == podInitializing }

// Steady gives one name to reasons that the kubelet shows in turn for a container that waits, and one message.
func Steady(reason, message string) (string, string) {
	if reason != "ImagePullBackOff" {
		return reason, message
	}
	if _, cause, ok := strings.Cut(message, ": ErrImagePull: "); ok {
		message = cause
	}
	return "ErrImagePull", message
}

// InvalidTarget reports whether the kubelet's words are that the container which a debugger is to join does not run.
func InvalidTarget(words string) bool { return strings.Contains(words, invalidTarget) }

// PulledImage is the image that an event of the kubelet's says it has begun to pull; empty if it says something else.
func PulledImage(event *corev1.Event) string {
	_, quoted, _ := strings.Cut(event.Message, `Pulling image "`)
	image, _, _ := strings.Cut(quoted, `"`)
	if event.Reason != "Pulling" {
		return ""
	}
	return image
}

// BlamesTarget reports whether a container runtime's or a kubelet's words on a debugger that it cannot start are about the
// process that it was to join.
func BlamesTarget(words string) bool {
	for _, known := range []string{invalidTarget, "unable to find target container", "/ns/pid", "can't get final child's PID"} {
		if strings.Contains(words, known) {
			return true
		}
	}
	return false
}

// StartRemedy is what a person can do about the debugger's container if it cannot start.
func StartRemedy(spec *v1alpha1.DebugSessionSpec, reason, message string) string {
	if InvalidTarget(message) {
		return "the debugger starts when the target's container runs again; if it does not, use mode: PodCopy, with podCopy.quiesce so that it does not crash there too"
	}
	switch reason {
	case "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ErrImageInspect", "RegistryUnavailable":
		return "check the image name and tag, and " + pullSecrets(spec) + "; then apply a new session"
	case "CreateContainerConfigError":
		nonRoot, onlyChanges := strings.Contains(message, "runAsNonRoot"), debugpod.OnlyChanges(spec)
		switch {
		case nonRoot && onlyChanges:
			return "the image runs as root or an unknown user, which the target forbids: set another image in podCopy.containers"
		case nonRoot:
			return "the image runs as root or an unknown user: set debugger.securityContext.runAsUser to a number other than 0, or runAs: FromTarget"
		case onlyChanges:
			return "check env in podCopy.containers, and what the container has from the target, against what exists in the namespace"
		}
		return "check debugger.env, envFrom and securityContext against what exists in the namespace"
	case v1alpha1.ReasonUnschedulable:
		return SchedulingRemedy(message)
	case corev1.PodReasonSchedulingGated:
		return "the copy has the target's scheduling gates: have them removed by whoever set them, or set podCopy.sameNode, which omits them"
	default:
		return "see the message; then apply a new session"
	}
}

// pullSecrets is what an image may lack to be pulled. The operator may read no Secret, and the kubelet says nothing in the pod of one that it does
// not find.
func pullSecrets(spec *v1alpha1.DebugSessionSpec) string {
	var names []string
	for _, secret := range spec.ImagePullSecrets {
		names = append(names, strconv.Quote(secret.Name))
	}
	if len(names) == 0 {
		return "the pod's imagePullSecrets"
	}
	return "that each Secret of spec.imagePullSecrets (" + strings.Join(names, ", ") + ") exists in the namespace and is for that registry: the kubelet ignores one that does not exist"
}

// debuggerField is where a session says something of the container that is its debugger.
func debuggerField(spec *v1alpha1.DebugSessionSpec, name string) string {
	if debugpod.OnlyChanges(spec) {
		return name + " in podCopy.containers"
	}
	return "debugger." + name
}
