package debugpod

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// Ephemeral builds the ephemeral container of an admitted session. It reads the session's spec,
// status.debugger.containerName, and status.target.container, whose process namespace it joins; if that is empty it
// joins none.
//
// It returns an *InvalidError if the session can never be built for this target: a container or a volume that the target
// does not have, or a profile that contradicts the session's own fields.
func Ephemeral(session *v1alpha1.DebugSession, target *corev1.Pod) (*corev1.EphemeralContainer, error) {
	joined := ""
	if session.Status.Target != nil {
		joined = session.Status.Target.Container
	}
	if joined != "" && !hasContainer(target.Spec.Containers, joined) && !hasContainer(target.Spec.InitContainers, joined) {
		return nil, &InvalidError{
			Field:   "spec.target.container",
			Message: fmt.Sprintf("pod %s has no container or init container %q: name one of its own", target.Name, joined),
		}
	}
	container, err := debuggerContainer(session, target)
	if err != nil {
		return nil, err
	}
	return &corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon(*container),
		TargetContainerName:      joined,
	}, nil
}
