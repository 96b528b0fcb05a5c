package debugpod

import (
	"errors"

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
	sc, err := securityContext(session, target, nil)
	if err != nil {
		return nil, err
	}
	mounts, err := volumeMounts(session, target, sc)
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
		VolumeMounts:             mounts,
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

// hasContainer reports whether one of the containers has that name.
func hasContainer(containers []corev1.Container, name string) bool {
	for i := range containers {
		if containers[i].Name == name {
			return true
		}
	}
	return false
}
