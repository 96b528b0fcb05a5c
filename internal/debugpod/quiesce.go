package debugpod

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

var (
	// ownSleep is what nearly every image that has a sleep understands: 68 years, the longest that the smallest of them
	// takes. Not all know infinity.
	ownSleep = []string{"sleep", "2147483647"}

	// operatorSleep is the operator's own, which cmd/manager answers.
	operatorSleep = []string{operatorProgram, "sleep"}
)

// UsesOperatorImage reports whether containers of the session's copy sleep with the operator's image.
func UsesOperatorImage(spec *v1alpha1.DebugSessionSpec) bool {
	return spec.PodCopy != nil && slices.ContainsFunc(spec.PodCopy.Quiesce, func(q v1alpha1.QuiescedContainer) bool {
		return q.With == v1alpha1.QuiesceWithOperatorImage
	})
}

// quiesce has the containers of the copy sleep that spec.podCopy.quiesce says. It is called before the debugger is there.
func quiesce(spec *corev1.PodSpec, session *v1alpha1.DebugSession, target *corev1.Pod) error {
	if session.Spec.PodCopy == nil {
		return nil
	}
	for i, entry := range session.Spec.PodCopy.Quiesce {
		containers, err := quiesced(spec, session, target, i)
		if err != nil {
			return err
		}
		for _, container := range containers {
			if err := putToSleep(container, entry.With, session); err != nil {
				return err
			}
		}
	}
	return nil
}

// quiesced are the containers that an entry of spec.podCopy.quiesce is about.
func quiesced(spec *corev1.PodSpec, session *v1alpha1.DebugSession, target *corev1.Pod, i int) ([]*corev1.Container, error) {
	name := session.Spec.PodCopy.Quiesce[i].Name
	if name == allContainers {
		return sleepers(spec, session), nil
	}
	field := fmt.Sprintf("spec.podCopy.quiesce[%d].name", i)
	container := findContainer(spec, name)
	if container == nil {
		return nil, noSuchContainer(field, name, target)
	}
	if hasContainer(spec.InitContainers, name) && !IsSidecar(container) {
		return nil, &InvalidError{Field: field, Message: fmt.Sprintf(
			"%q is an init container, and the copy would wait for it forever: leave InitContainers out of spec.podCopy.keep, or change its command in spec.podCopy.containers", name)}
	}
	return []*corev1.Container{container}, nil
}

// sleepers are the containers that * stands for.
func sleepers(spec *corev1.PodSpec, session *v1alpha1.DebugSession) []*corev1.Container {
	var all []*corev1.Container
	for i := range spec.Containers {
		all = append(all, &spec.Containers[i])
	}
	for i := range spec.InitContainers {
		if IsSidecar(&spec.InitContainers[i]) {
			all = append(all, &spec.InitContainers[i])
		}
	}
	options := session.Spec.PodCopy
	return slices.DeleteFunc(all, func(c *corev1.Container) bool {
		return c.Name == session.Spec.Debugger.Container ||
			slices.ContainsFunc(options.Quiesce, func(q v1alpha1.QuiescedContainer) bool { return q.Name == c.Name }) ||
			slices.ContainsFunc(options.Containers, func(change v1alpha1.ContainerChange) bool {
				return change.Name == c.Name && (len(change.Command) > 0 || len(change.Args) > 0)
			})
	})
}

// IsSidecar reports whether an init container runs beside those that come after it.
func IsSidecar(container *corev1.Container) bool {
	return container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// putToSleep replaces the container's program. Its probes and hooks would find that nobody answers them, and end it.
func putToSleep(container *corev1.Container, with v1alpha1.QuiesceWith, session *v1alpha1.DebugSession) error {
	container.Command, container.Args = slices.Clone(ownSleep), nil
	container.LivenessProbe, container.ReadinessProbe, container.StartupProbe, container.Lifecycle = nil, nil, nil, nil
	if with != v1alpha1.QuiesceWithOperatorImage {
		return nil
	}
	image := session.Status.Debugger.OperatorImage
	if image == "" {
		return &InvalidError{
			Field:   "spec.podCopy.quiesce",
			Message: "the operator does not know its own image, for example because it runs outside the cluster: use with: Sleep, or change the image in spec.podCopy.containers",
		}
	}
	// The folder that it works in may not be in the other image.
	container.Image, container.ImagePullPolicy, container.WorkingDir = image, corev1.PullIfNotPresent, ""
	container.Command = slices.Clone(operatorSleep)
	return nil
}
