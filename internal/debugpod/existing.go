package debugpod

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"debugsession.dev/operator/api/v1alpha1"
)

// AddsContainer reports whether the session adds a container of its own, as it does but in two kinds of copies: one in
// which a container becomes the debugger, and one that is only changed.
func AddsContainer(spec *v1alpha1.DebugSessionSpec) bool {
	return spec.Debugger.Container == "" && !OnlyChanges(spec)
}

// OnlyChanges reports whether the session wants nothing but a copy with changed containers: it says nothing of a debugger.
func OnlyChanges(spec *v1alpha1.DebugSessionSpec) bool {
	return spec.Mode == v1alpha1.ModePodCopy && spec.PodCopy != nil && len(spec.PodCopy.Containers) > 0 &&
		equality.Semantic.DeepEqual(spec.Debugger, v1alpha1.Debugger{})
}

// useExistingContainer makes a container of the copy the debugger, as kubectl debug does with --container and the name of one that is
// there. What the container has and the session does not speak of stays.
func useExistingContainer(spec *corev1.PodSpec, session *v1alpha1.DebugSession, target *corev1.Pod) error {
	debugger := session.Spec.Debugger.DeepCopy()
	container := findContainer(spec, debugger.Container)
	if container == nil {
		return noSuchContainer("spec.debugger.container", debugger.Container, target)
	}
	sc, err := securityContext(session, target, container.SecurityContext)
	if err != nil {
		return err
	}
	mounts, err := volumeMounts(session, target, sc)
	if err != nil {
		return err
	}
	container.SecurityContext = sc
	applyChange(container, &v1alpha1.ContainerChange{
		Image: debugger.Image, Command: debugger.Command, Args: debugger.Args, Resources: debugger.Resources,
	})
	container.EnvFrom = append(container.EnvFrom, debugger.EnvFrom...)
	container.Env = before(container.Env, debugger.Env, func(v *corev1.EnvVar) string { return v.Name })
	container.VolumeMounts = before(container.VolumeMounts, mounts, mountPath)
	container.Stdin, container.StdinOnce, container.TTY = debugger.Stdin, debugger.StdinOnce, debugger.TTY
	if debugger.WorkingDir != "" {
		container.WorkingDir = debugger.WorkingDir
	}
	if debugger.ImagePullPolicy != "" {
		container.ImagePullPolicy = debugger.ImagePullPolicy
	}
	if debugger.TerminationMessagePolicy != "" {
		container.TerminationMessagePolicy = debugger.TerminationMessagePolicy
	}
	return nil
}

// before puts more items before those that are there. One with the key of one that is there takes its place.
func before[T any](there, more []T, key func(*T) string) []T {
	var added []T
	for i := range more {
		same := func(t T) bool { return key(&t) == key(&more[i]) }
		if at := slices.IndexFunc(there, same); at >= 0 {
			there[at] = more[i]
		} else {
			added = append(added, more[i])
		}
	}
	return append(added, there...)
}

// addDebugger adds the debugger's container to the copy.
func addDebugger(copied *corev1.Pod, session *v1alpha1.DebugSession, target *corev1.Pod) error {
	debugger, err := debuggerContainer(session, target)
	if err != nil {
		return err
	}
	spec := &copied.Spec
	if err := takeEnvironment(debugger, session, target, spec, &copied.ObjectMeta); err != nil {
		return err
	}
	if findContainer(spec, debugger.Name) != nil {
		return &InvalidError{
			Field:   "spec.target",
			Message: fmt.Sprintf("pod %s already has a container %q, the name of this session's debugger: apply a new session", target.Name, debugger.Name),
		}
	}
	spec.Containers = append(spec.Containers, *debugger)
	return nil
}
