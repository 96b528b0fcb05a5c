package debugpod

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// Hidden stands for a value that is not shown.
const Hidden = "(hidden)"

// mostHidden is how many names of hidden values are listed of a container. The others are hidden all the same.
const mostHidden = 64

// HidePodValues replaces in a pod what people keep secrets in, the values of environment variables and of HTTP headers, and returns
// which it replaced. Values that the session's own spec gives stay: who may read the one may read the other.
func HidePodValues(spec *corev1.PodSpec, session *v1alpha1.DebugSession) []v1alpha1.HiddenValues {
	var hidden []v1alpha1.HiddenValues
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range containers {
			hidden = append(hidden, hideValues(&containers[i], session)...)
		}
	}
	for i := range spec.EphemeralContainers {
		hidden = append(hidden, HideContainerValues(&spec.EphemeralContainers[i], session)...)
	}
	return hidden
}

// HideContainerValues does the same in an ephemeral container.
func HideContainerValues(container *corev1.EphemeralContainer, session *v1alpha1.DebugSession) []v1alpha1.HiddenValues {
	return hideValues((*corev1.Container)(&container.EphemeralContainerCommon), session)
}

func hideValues(container *corev1.Container, session *v1alpha1.DebugSession) []v1alpha1.HiddenValues {
	hidden := v1alpha1.HiddenValues{Container: container.Name}
	given := givenVariables(container.Name, session)
	for i := range container.Env {
		variable := &container.Env[i]
		if variable.Value == "" || slices.Contains(given, corev1.EnvVar{Name: variable.Name, Value: variable.Value}) {
			continue
		}
		variable.Value = Hidden
		hidden.Env = append(hidden.Env, variable.Name)
	}
	for _, request := range httpRequests(container) {
		for i := range request.HTTPHeaders {
			request.HTTPHeaders[i].Value = Hidden
			hidden.HTTPHeaders = append(hidden.HTTPHeaders, request.HTTPHeaders[i].Name)
		}
	}
	if len(hidden.Env)+len(hidden.HTTPHeaders) == 0 {
		return nil
	}
	hidden.Env, hidden.HTTPHeaders = someOf(hidden.Env), someOf(hidden.HTTPHeaders)
	return []v1alpha1.HiddenValues{hidden}
}

// givenVariables are those that anybody may see who sees the session. A name counts only for the container that the session gives it to,
// where it takes the place of the target's own: else who guesses a value of another container would be told that it is right.
func givenVariables(container string, session *v1alpha1.DebugSession) []corev1.EnvVar {
	var given []corev1.EnvVar
	if spec := &session.Spec; container == ContainerName(session.UID) {
		given = append(slices.Clone(spec.Debugger.Env), corev1.EnvVar{Name: targetRootVariable, Value: targetRoot})
	} else if container == spec.Debugger.Container {
		given = slices.Clone(spec.Debugger.Env)
	}
	if options := session.Spec.PodCopy; options != nil {
		for i := range options.Containers {
			if options.Containers[i].Name == container {
				given = append(given, options.Containers[i].Env...)
			}
		}
	}
	return slices.DeleteFunc(given, func(v corev1.EnvVar) bool { return v.ValueFrom != nil })
}

// httpRequests are those that the kubelet makes to a container.
func httpRequests(container *corev1.Container) []*corev1.HTTPGetAction {
	var requests []*corev1.HTTPGetAction
	for _, probe := range []*corev1.Probe{container.LivenessProbe, container.ReadinessProbe, container.StartupProbe} {
		if probe != nil && probe.HTTPGet != nil {
			requests = append(requests, probe.HTTPGet)
		}
	}
	if hooks := container.Lifecycle; hooks != nil {
		for _, hook := range []*corev1.LifecycleHandler{hooks.PostStart, hooks.PreStop} {
			if hook != nil && hook.HTTPGet != nil {
				requests = append(requests, hook.HTTPGet)
			}
		}
	}
	return requests
}

// someOf holds names to what a status has room for.
func someOf(names []string) []string {
	if len(names) <= mostHidden {
		return names
	}
	more := len(names) - mostHidden + 1
	return append(names[:mostHidden-1:mostHidden-1], fmt.Sprintf("and %d more", more))
}
