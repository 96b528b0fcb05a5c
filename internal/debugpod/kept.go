package debugpod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// MayLoseOptions reports whether a debugger is to have what an API server leaves out without a word if its version does not
// know it or has it switched off: bindMountOptions, which came with Kubernetes 1.37. Any other field that is newer than the
// oldest Kubernetes makes the API server refuse what lacks it.
func MayLoseOptions(debugger *corev1.PodSpec) bool {
	return len(restrictedMounts(debugger)) > 0
}

// CheckKept returns an *InvalidError if an API server would not keep such an option. debugger is what it was asked for, and kept
// its answer.
func CheckKept(debugger, kept *corev1.PodSpec) error {
	is := restrictedMounts(kept)
	for at, options := range restrictedMounts(debugger) {
		if !slices.Equal(is[at], options) {
			return &InvalidError{
				Field: "spec.debugger.volumeMounts",
				Message: "the API server would ignore bindMountOptions: its Kubernetes does not have them, or has the feature gate " +
					"VolumeBindMountOptions disabled; remove them",
			}
		}
	}
	return nil
}

// mountPoint is where a container mounts something.
type mountPoint struct{ container, path string }

// restrictedMounts are the options of those mounts that have some.
func restrictedMounts(spec *corev1.PodSpec) map[mountPoint][]string {
	options := map[mountPoint][]string{}
	add := func(container string, mounts []corev1.VolumeMount) {
		for i := range mounts {
			if len(mounts[i].BindMountOptions) > 0 {
				options[mountPoint{container, mounts[i].MountPath}] = mounts[i].BindMountOptions
			}
		}
	}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			add(containers[i].Name, containers[i].VolumeMounts)
		}
	}
	for i := range spec.EphemeralContainers {
		add(spec.EphemeralContainers[i].Name, spec.EphemeralContainers[i].VolumeMounts)
	}
	return options
}
