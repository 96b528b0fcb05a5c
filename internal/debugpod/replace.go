package debugpod

import "debugsession.dev/operator/api/v1alpha1"

// Replaces returns which targets the session deletes for their copy, if any.
func Replaces(spec *v1alpha1.DebugSessionSpec) v1alpha1.ReplaceOriginal {
	if spec.Mode != v1alpha1.ModePodCopy || spec.PodCopy == nil {
		return ""
	}
	return spec.PodCopy.ReplaceOriginal
}
