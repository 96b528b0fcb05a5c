package debugpod

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// kept returns what the copy keeps of its target. The profile legacy knows no choice: before there were profiles,
// kubectl debug kept all but the labels.
func kept(session *v1alpha1.DebugSession) []v1alpha1.Keep {
	if session.Spec.Profile == v1alpha1.ProfileLegacy {
		return []v1alpha1.Keep{
			v1alpha1.KeepAnnotations, v1alpha1.KeepInitContainers,
			v1alpha1.KeepLivenessProbe, v1alpha1.KeepReadinessProbe, v1alpha1.KeepStartupProbe,
		}
	}
	if options := session.Spec.PodCopy; options != nil && options.Keep != nil {
		return options.Keep
	}
	return []v1alpha1.Keep{v1alpha1.KeepInitContainers}
}

// dropUnkept removes init containers and probes from the copy. The probes of native sidecars (init containers that
// always restart) are treated as those of any other container: a debugged sidecar is restarted by its liveness probe
// just the same.
func dropUnkept(spec *corev1.PodSpec, keep []v1alpha1.Keep) {
	if !slices.Contains(keep, v1alpha1.KeepInitContainers) {
		spec.InitContainers = nil
	}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			for probe, at := range map[v1alpha1.Keep]**corev1.Probe{
				v1alpha1.KeepLivenessProbe:  &containers[i].LivenessProbe,
				v1alpha1.KeepReadinessProbe: &containers[i].ReadinessProbe,
				v1alpha1.KeepStartupProbe:   &containers[i].StartupProbe,
			} {
				if !slices.Contains(keep, probe) {
					*at = nil
				}
			}
		}
	}
}

// keptLabels returns the labels that the copy keeps of its target.
func keptLabels(session *v1alpha1.DebugSession, target *corev1.Pod, keep []v1alpha1.Keep) (map[string]string, error) {
	if slices.Contains(keep, v1alpha1.KeepLabels) {
		return maps.Clone(target.Labels), nil
	}
	labels := map[string]string{}
	if options := session.Spec.PodCopy; options != nil {
		for i, key := range options.KeepLabels {
			value, labelled := target.Labels[key]
			if !labelled {
				return nil, &InvalidError{
					Field: fmt.Sprintf("spec.podCopy.keepLabels[%d]", i),
					Message: fmt.Sprintf("pod %s has no label %q: use one of %s",
						target.Name, key, strings.Join(slices.Sorted(maps.Keys(target.Labels)), ", ")),
				}
			}
			labels[key] = value
		}
	}
	return labels, nil
}

// omit leaves containers out of the copy, as spec.podCopy.omitContainers says.
func omit(spec *corev1.PodSpec, session *v1alpha1.DebugSession, target *corev1.Pod) error {
	if session.Spec.PodCopy == nil {
		return nil
	}
	for i, name := range session.Spec.PodCopy.OmitContainers {
		field := fmt.Sprintf("spec.podCopy.omitContainers[%d]", i)
		if findContainer(&target.Spec, name) == nil {
			return unknownContainer(field, name, target)
		}
		if name == session.Status.Debugger.ContainerName {
			return &InvalidError{Field: field, Message: fmt.Sprintf("container %q is the target of the session and cannot be omitted: remove it here, or set target.container to another", name)}
		}
		named := func(c corev1.Container) bool { return c.Name == name }
		spec.Containers = slices.DeleteFunc(spec.Containers, named)
		spec.InitContainers = slices.DeleteFunc(spec.InitContainers, named)
	}
	if len(spec.Containers) == 0 && !AddsContainer(&session.Spec) {
		return &InvalidError{Field: "spec.podCopy.omitContainers", Message: "no container would be left in the copy: keep one"}
	}
	return nil
}
