package debugpod

import (
	"slices"

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
			if !slices.Contains(keep, v1alpha1.KeepLivenessProbe) {
				containers[i].LivenessProbe = nil
			}
			if !slices.Contains(keep, v1alpha1.KeepReadinessProbe) {
				containers[i].ReadinessProbe = nil
			}
			if !slices.Contains(keep, v1alpha1.KeepStartupProbe) {
				containers[i].StartupProbe = nil
			}
		}
	}
}
