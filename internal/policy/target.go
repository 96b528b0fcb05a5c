package policy

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/imagepattern"
)

// A claim and an image are targets that somebody could otherwise have only by creating pods: a class that does not speak of them allows
// neither.

func checkVolumeClaim(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	claim, allowed := spec.Target.VolumeClaim, class.Spec.VolumeClaims
	switch {
	case claim == nil:
		return ""
	case allowed == nil:
		return "spec.target.volumeClaim: debugging a PersistentVolumeClaim is not allowed; debug a pod that mounts it, or ask an administrator to set the class's volumeClaims"
	case claim.Writes() && !allowed.AllowWrite:
		return "spec.target.volumeClaim.readOnly: mounting a PersistentVolumeClaim for writing is not allowed; " +
			"remove readOnly: false, or ask an administrator to set the class's volumeClaims.allowWrite"
	}
	return ""
}

// checkMembers holds how many pods a session debugs against the class. One that does not speak of it allows one.
func checkMembers(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	all, times, most := spec.Target.All, spec.Target.Times(), int32(0)
	if class.Spec.Limits != nil {
		most = class.Spec.Limits.MaxMembers
	}
	switch {
	case all != nil && most == 0:
		return "spec.target.all: debugging many pods at the same time is not allowed; remove it to debug one of them, or ask an administrator to set the class's limits.maxMembers"
	case all != nil && all.Max > most:
		return fmt.Sprintf("spec.target.all.max: %d exceeds the maximum of %d (limits.maxMembers); set a lower one, and select no more pods than that", all.Max, most)
	case times > 0 && most == 0:
		return "spec.target.when.times: debugging more than the first pod is not allowed; remove it to debug that alone, or ask an administrator to set the class's limits.maxMembers"
	case times > most:
		return fmt.Sprintf("spec.target.when.times: %d exceeds the maximum of %d (limits.maxMembers); set a lower one, or remove it to debug the first pod alone", times, most)
	}
	return ""
}

// CheckClaim says why the class does not allow the claim as a target, by its labels; empty if it does.
func CheckClaim(class *v1alpha1.DebugClass, claim *corev1.PersistentVolumeClaim) string {
	allowed := class.Spec.VolumeClaims
	if allowed != nil && selects(allowed.Selector, labels.Set(claim.Labels)) {
		return ""
	}
	selector := "not set"
	if allowed != nil {
		selector = metav1.FormatLabelSelector(allowed.Selector)
	}
	return fmt.Sprintf("class %q cannot be used for PersistentVolumeClaim %q: its volumeClaims.selector is %s", class.Name, claim.Name, selector)
}

func checkTargetImage(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	image := spec.Target.Image
	if image == "" {
		return ""
	}
	if len(class.Spec.TargetImages) == 0 {
		return "spec.target.image: debugging an image is not allowed; debug a pod that runs it, or ask an administrator to set the class's targetImages"
	}
	allowed, err := imagepattern.MatchAny(class.Spec.TargetImages, image)
	switch {
	case err != nil:
		return fmt.Sprintf("spec.target.image: %q is not a valid image name: %v", image, err)
	case !allowed:
		return fmt.Sprintf("spec.target.image: %q is not allowed; allowed by the class's targetImages: %s", image, strings.Join(class.Spec.TargetImages, ", "))
	}
	return ""
}

// TargetImage is the image that the session debugs, in full: what was compared is then what every runtime runs.
func TargetImage(spec *v1alpha1.DebugSessionSpec) string {
	if full, err := imagepattern.Normalize(spec.Target.Image); err == nil {
		return full
	}
	return spec.Target.Image
}
