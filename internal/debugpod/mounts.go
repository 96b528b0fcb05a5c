package debugpod

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const mountsFromField = "spec.debugger.mountsFrom"

// MountsLeftOut returns the paths of those mounts of spec.debugger.mountsFrom that an ephemeral container cannot have.
func MountsLeftOut(spec *v1alpha1.DebugSessionSpec, target *corev1.Pod) []string {
	var left []string
	if spec.Mode == v1alpha1.ModeEphemeralContainer && spec.Debugger.MountsFrom != "" {
		if from := findContainer(&target.Spec, spec.Debugger.MountsFrom); from != nil {
			for i := range from.VolumeMounts {
				if isPartial(&from.VolumeMounts[i]) {
					left = append(left, from.VolumeMounts[i].MountPath)
				}
			}
		}
	}
	return left
}

// isPartial reports whether a mount is of a part of its volume.
func isPartial(mount *corev1.VolumeMount) bool { return mount.SubPath != "" || mount.SubPathExpr != "" }

// volumeMounts returns what the session mounts in its debugger: its own mounts, and before them in rank, those of
// spec.debugger.mountsFrom. sc is what the debugger runs with.
func volumeMounts(session *v1alpha1.DebugSession, target *corev1.Pod, sc *corev1.SecurityContext) ([]corev1.VolumeMount, error) {
	own := slices.Concat(session.Spec.Debugger.DeepCopy().VolumeMounts, mountClaim(session))
	if err := checkVolumeMounts(own, target); err != nil {
		return nil, err
	}
	name := session.Spec.Debugger.MountsFrom
	if name == "" {
		return own, nil
	}
	from := findContainer(&target.Spec, name)
	if from == nil {
		return nil, unknownContainer(mountsFromField, name, target)
	}
	if len(from.VolumeMounts) == 0 {
		return nil, &InvalidError{
			Field:   mountsFromField,
			Message: fmt.Sprintf("container %q of pod %s mounts no volume: use another container, or remove mountsFrom", name, target.Name),
		}
	}
	theirs := from.DeepCopy().VolumeMounts
	if session.Spec.Mode == v1alpha1.ModeEphemeralContainer {
		theirs = slices.DeleteFunc(theirs, func(m corev1.VolumeMount) bool { return isPartial(&m) })
	}
	for i := range theirs {
		receiveOnly(&theirs[i], sc)
	}
	return before(theirs, own, mountPath), nil
}

// receiveOnly keeps a mount from passing on what is mounted in the debugger, unless that is privileged: Kubernetes refuses
// it in any other. What is mounted elsewhere still shows.
func receiveOnly(mount *corev1.VolumeMount, sc *corev1.SecurityContext) {
	privileged := sc != nil && sc.Privileged != nil && *sc.Privileged
	if propagation := mount.MountPropagation; propagation != nil && *propagation == corev1.MountPropagationBidirectional && !privileged {
		*propagation = corev1.MountPropagationHostToContainer
	}
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
				Message: fmt.Sprintf("pod %s has no volume %q: use one that it has", target.Name, mounts[i].Name),
			}
		}
	}
	return nil
}

func mountPath(m *corev1.VolumeMount) string { return m.MountPath }
