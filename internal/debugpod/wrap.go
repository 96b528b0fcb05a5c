package debugpod

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// WrapWithDeadline has the container keep to the deadlines whatever happens to the operator. A container without command and args runs sh: what
// its image would run is not known here.
//
// It returns an *InvalidError if there are args and no command to give them to.
func WrapWithDeadline(container *corev1.EphemeralContainer, deadlines Deadlines) error {
	command := container.Command
	if len(command) == 0 && len(container.Args) == 0 {
		command = []string{"sh"}
	}
	wrapped, err := Wrap(command, container.Args, deadlines)
	if err != nil {
		return err
	}
	container.Command, container.Args = wrapped, nil
	return nil
}

// HoldForFiles has the debugger's container, of that name, in a pod that was made for it keep to the deadlines as an ephemeral one does, which hold it
// for its files. Nothing in the pod is started again that has ended: the debugger's command runs once.
//
// It returns an *InvalidError if the container can be held in no such way.
func HoldForFiles(pod *corev1.Pod, name string, deadlines Deadlines) error {
	container := findContainer(&pod.Spec, name)
	switch {
	case container == nil:
		return fmt.Errorf("the pod has no container %q", name)
	case isWindows(pod):
		return &InvalidError{Field: artifactsField, Message: "the target is a Windows pod, whose containers have no POSIX shell to hold them for their files: remove it"}
	case IsSidecar(container) && hasContainer(pod.Spec.InitContainers, name):
		return &InvalidError{Field: artifactsField, Message: fmt.Sprintf(
			"container %q is a sidecar, which its kubelet would start again when its command has ended: name another container in spec.debugger.container, or remove artifacts", name)}
	}
	wrapped, err := Wrap(container.Command, container.Args, deadlines)
	if err != nil {
		return err
	}
	container.Command, container.Args = wrapped, nil
	startOnce(&pod.Spec)
	return nil
}

const artifactsField = "spec.debugger.artifacts"

// startOnce has the kubelet start no container again that has ended, but sidecars, which it starts only in such a way.
func startOnce(spec *corev1.PodSpec) {
	spec.RestartPolicy = corev1.RestartPolicyNever
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			container := &containers[i]
			container.RestartPolicyRules = nil
			if !IsSidecar(container) || !hasContainer(spec.InitContainers, container.Name) {
				container.RestartPolicy = nil
			}
		}
	}
}

// UnwrapHeld gives a container that HoldForFiles has dealt with the command again that its session asked for, in what is shown and approved of its pod.
func UnwrapHeld(pod *corev1.Pod, name string) {
	if container := findContainer(&pod.Spec, name); container != nil {
		container.Command = Unwrap(container.Command)
	}
}

// Unwrap is a limited container's command without what limits it: what the session asked for.
func Unwrap(command []string) []string {
	if end := slices.Index(command, "--"); end >= 0 && len(command) > 3 && command[3] == wrapperName {
		return command[end+1:]
	}
	return command
}
