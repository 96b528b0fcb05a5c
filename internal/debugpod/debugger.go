package debugpod

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// errNotAdmitted is returned when a builder is called before the session's status says what it decided.
var errNotAdmitted = errors.New("the session is not admitted: its status names no debugger")

// debuggerContainer builds the debugger's container, with what both modes have in common. Nothing in it depends on the
// mode, as in kubectl, whose profiles set the same on a new container however it is brought in.
func debuggerContainer(session *v1alpha1.DebugSession, target *corev1.Pod) (*corev1.Container, error) {
	if session.Status.Debugger == nil || session.Status.Debugger.ContainerName == "" {
		return nil, errNotAdmitted
	}
	debugger := session.Spec.Debugger.DeepCopy()
	if err := checkVolumeMounts(debugger.VolumeMounts, target); err != nil {
		return nil, err
	}
	sc, err := securityContext(session, target, nil)
	if err != nil {
		return nil, err
	}
	container := &corev1.Container{
		Name:                     session.Status.Debugger.ContainerName,
		Image:                    debugger.Image,
		Command:                  debugger.Command,
		Args:                     debugger.Args,
		WorkingDir:               debugger.WorkingDir,
		Env:                      debugger.Env,
		EnvFrom:                  debugger.EnvFrom,
		VolumeMounts:             debugger.VolumeMounts,
		SecurityContext:          sc,
		ImagePullPolicy:          debugger.ImagePullPolicy,
		Stdin:                    debugger.Stdin,
		StdinOnce:                debugger.StdinOnce,
		TTY:                      debugger.TTY,
		TerminationMessagePolicy: debugger.TerminationMessagePolicy,
	}
	if container.TerminationMessagePolicy == "" {
		container.TerminationMessagePolicy = corev1.TerminationMessageReadFile
	}
	if debugger.Resources != nil {
		container.Resources = *debugger.Resources
	}
	return container, nil
}

// checkVolumeMounts refuses a mount of a volume that the target does not have: neither an ephemeral container nor a copy
// can bring one.
func checkVolumeMounts(mounts []corev1.VolumeMount, target *corev1.Pod) error {
	volumes := map[string]bool{}
	for i := range target.Spec.Volumes {
		volumes[target.Spec.Volumes[i].Name] = true
	}
	for i := range mounts {
		if !volumes[mounts[i].Name] {
			return &InvalidError{
				Field:   fmt.Sprintf("spec.debugger.volumeMounts[%d].name", i),
				Message: fmt.Sprintf("pod %s has no volume %q: name one of its own", target.Name, mounts[i].Name),
			}
		}
	}
	return nil
}

// hasContainer reports whether one of the containers has that name.
func hasContainer(containers []corev1.Container, name string) bool {
	for i := range containers {
		if containers[i].Name == name {
			return true
		}
	}
	return false
}
