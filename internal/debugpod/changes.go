package debugpod

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// allContainers is the name that stands for every container of the copy, init containers excepted.
const allContainers = "*"

// applyChanges changes the copied containers as spec.podCopy.containers says. It returns an *InvalidError for a change
// of a container that the copy does not have: kubectl debug passes over that in silence, and debugs what was not meant.
func applyChanges(spec *corev1.PodSpec, changes []v1alpha1.ContainerChange, target *corev1.Pod) error {
	for i := range changes {
		if changes[i].Name == allContainers && changes[i].Image != "" {
			for j := range spec.Containers {
				spec.Containers[j].Image = changes[i].Image
			}
		}
	}
	for i := range changes {
		if changes[i].Name == allContainers {
			continue
		}
		container := findContainer(spec, changes[i].Name)
		if container == nil {
			return noSuchContainer(fmt.Sprintf("spec.podCopy.containers[%d].name", i), changes[i].Name, target)
		}
		applyChange(container, changes[i].DeepCopy())
	}
	return nil
}

func applyChange(container *corev1.Container, change *v1alpha1.ContainerChange) {
	if change.Image != "" {
		container.Image = change.Image
	}
	if len(change.Command) > 0 {
		// Arguments meant for another command mean nothing to this one.
		container.Command, container.Args = change.Command, nil
	}
	if len(change.Args) > 0 {
		container.Args = change.Args
	}
	container.Env = Override(container.Env, change.Env)
	if change.Resources != nil {
		container.Resources = *change.Resources
	}
}

func findContainer(spec *corev1.PodSpec, name string) *corev1.Container {
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range containers {
			if containers[i].Name == name {
				return &containers[i]
			}
		}
	}
	return nil
}

// ImageOf returns the image of a container or init container of the pod; empty if it has none of that name.
func ImageOf(pod *corev1.Pod, name string) string {
	if container := findContainer(&pod.Spec, name); container != nil {
		return container.Image
	}
	return ""
}

func noSuchContainer(field, name string, target *corev1.Pod) error {
	if hasContainer(target.Spec.InitContainers, name) {
		return &InvalidError{
			Field:   field,
			Message: fmt.Sprintf("init container %q is not copied: add InitContainers to spec.podCopy.keep, or do not change it", name),
		}
	}
	return unknownContainer(field, name, target)
}

// unknownContainer is the error of a field that names no container of the target. It names those that there are.
func unknownContainer(field, name string, target *corev1.Pod) error {
	names := ContainerNames(target)
	return &InvalidError{
		Field: field,
		Message: fmt.Sprintf("pod %s has no container or init container %q: use one of %s%s",
			target.Name, name, strings.Join(names, ", "), DidYouMean(name, names)),
	}
}

// ContainerNames returns the names of the pod's containers, and after them those of its init containers.
func ContainerNames(pod *corev1.Pod) []string {
	var names []string
	for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range containers {
			names = append(names, containers[i].Name)
		}
	}
	return names
}
