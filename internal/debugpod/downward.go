package debugpod

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	labelsPath      = "metadata.labels"
	annotationsPath = "metadata.annotations"
)

// keepMetadataVariables gives variables that come from one of the target's labels or annotations the value that they have there, where
// the copy does not have the same: without it the pod of an Indexed Job, say, has no index.
func keepMetadataVariables(spec *corev1.PodSpec, target *corev1.Pod, copied *metav1.ObjectMeta) {
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			for j := range containers[i].Env {
				keepMetadataVariable(&containers[i].Env[j], target, copied)
			}
		}
	}
}

func keepMetadataVariable(variable *corev1.EnvVar, target *corev1.Pod, copied *metav1.ObjectMeta) {
	if variable.ValueFrom == nil || variable.ValueFrom.FieldRef == nil {
		return
	}
	path := variable.ValueFrom.FieldRef.FieldPath
	value, has := metadataAt(&target.ObjectMeta, path)
	if now, same := metadataAt(copied, path); has && (!same || now != value) {
		// A dollar sign in a value that is written down begins a reference to another variable.
		*variable = corev1.EnvVar{Name: variable.Name, Value: strings.ReplaceAll(value, "$", "$$")}
	}
}

// metadataAt returns the one label or annotation that a path of the downward API names, and whether it is there.
func metadataAt(meta *metav1.ObjectMeta, path string) (value string, has bool) {
	for prefix, from := range map[string]map[string]string{labelsPath + "['": meta.Labels, annotationsPath + "['": meta.Annotations} {
		if key, named := strings.CutPrefix(path, prefix); named {
			value, has = from[strings.TrimSuffix(key, "']")]
		}
	}
	return value, has
}

const (
	mostWarnings   = 16
	longestWarning = 512
)

// CopyWarnings tells where containers of the copy are told something else of themselves than in the target.
func CopyWarnings(target, copied *corev1.Pod) []string {
	var warnings []string
	for _, containers := range [][]corev1.Container{copied.Spec.InitContainers, copied.Spec.Containers} {
		for i := range containers {
			if findContainer(&target.Spec, containers[i].Name) != nil { // else it is the debugger's own
				warnings = append(warnings, variableWarnings(&containers[i], target, copied)...)
			}
		}
	}
	for i := range copied.Spec.Volumes {
		warnings = append(warnings, volumeWarnings(&copied.Spec.Volumes[i], target, copied)...)
	}
	if target.Spec.RestartPolicy != copied.Spec.RestartPolicy {
		warnings = append(warnings, "a container of the copy that ends is not started again: the session keeps artifacts, and its command runs once")
	}
	if target.Spec.Subdomain != copied.Spec.Subdomain {
		warnings = append(warnings, fmt.Sprintf("the copy is not in subdomain %q: with the target's labels it would take over the target's DNS name", target.Spec.Subdomain))
	}
	return warnings
}

func variableWarnings(container *corev1.Container, target, copied *corev1.Pod) []string {
	var warnings []string
	for i := range container.Env {
		source := container.Env[i].ValueFrom
		if source == nil {
			continue
		}
		if other := differs(source.FieldRef, target, copied); other != "" {
			warnings = append(warnings, fmt.Sprintf("variable %s of container %q has %s", container.Env[i].Name, container.Name, other))
		}
	}
	return warnings
}

func volumeWarnings(volume *corev1.Volume, target, copied *corev1.Pod) []string {
	var warnings []string
	for _, item := range downwardItems(volume) {
		if other := differs(item.FieldRef, target, copied); other != "" {
			warnings = append(warnings, fmt.Sprintf("file %s of volume %q has %s", item.Path, volume.Name, other))
		}
	}
	return warnings
}

func downwardItems(volume *corev1.Volume) []corev1.DownwardAPIVolumeFile {
	var items []corev1.DownwardAPIVolumeFile
	if volume.DownwardAPI != nil {
		items = append(items, volume.DownwardAPI.Items...)
	}
	if volume.Projected != nil {
		for i := range volume.Projected.Sources {
			if source := volume.Projected.Sources[i].DownwardAPI; source != nil {
				items = append(items, source.Items...)
			}
		}
	}
	return items
}

// differs is what a field of the downward API is in the copy that it is not in the target; empty if it is the same.
func differs(field *corev1.ObjectFieldSelector, target, copied *corev1.Pod) string {
	if field == nil {
		return ""
	}
	path := field.FieldPath
	switch path {
	case "metadata.name":
		return fmt.Sprintf("the copy's name, %s, not the target's, %s", copied.Name, target.Name)
	case "metadata.uid":
		return "the copy's UID, not the target's"
	case labelsPath:
		return "the copy's labels: for the target's, use keep: [Labels] or keepLabels"
	case annotationsPath:
		return "the copy's annotations: for the target's, use keep: [Annotations]"
	}
	value, has := metadataAt(&target.ObjectMeta, path)
	if now, same := metadataAt(&copied.ObjectMeta, path); has && !(same && now == value) {
		return fmt.Sprintf("no value, but in the target that of %s", path)
	}
	return ""
}

// Warnings holds warnings to what a status has room for.
func Warnings(warnings []string) []string {
	if len(warnings) > mostWarnings {
		more := len(warnings) - mostWarnings + 1
		warnings = append(warnings[:mostWarnings-1:mostWarnings-1], fmt.Sprintf("and %d more", more))
	}
	for i := range warnings {
		if len(warnings[i]) > longestWarning {
			warnings[i] = strings.ToValidUTF8(warnings[i][:longestWarning-3], "") + "..."
		}
	}
	return warnings
}
