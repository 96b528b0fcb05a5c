package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/imagepattern"
)

// Validate says what would make a class useless, or mean something else than it seems to: everything that is wrong at once.
func Validate(spec *v1alpha1.DebugClassSpec) []string {
	wrong := append(validateImages(spec), validateArtifacts(spec.Artifacts)...)
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if spec.Resources != nil {
		wrong = append(wrong, validateBounds("spec.resources.debugger", spec.Resources.Debugger)...)
		wrong = append(wrong, validateBounds("spec.resources.pod", spec.Resources.Pod)...)
	}
	if spec.Reason != nil {
		if _, err := regexp.Compile(spec.Reason.Pattern); err != nil {
			complain("spec.reason.pattern: %v; use RE2 syntax", err)
		}
	}
	if _, err := metav1.LabelSelectorAsSelector(spec.NamespaceSelector); err != nil {
		complain("spec.namespaceSelector: %v", err)
	}
	if _, err := metav1.LabelSelectorAsSelector(spec.PodSelector); err != nil {
		complain("spec.podSelector: %v", err)
	}
	if claims := spec.VolumeClaims; claims != nil {
		if _, err := metav1.LabelSelectorAsSelector(claims.Selector); err != nil {
			complain("spec.volumeClaims.selector: %v", err)
		}
	}
	return append(wrong, validatePodNetworks(spec)...)
}

// validatePodNetworks refuses what would let somebody into a pod's network who must not be there, and what would let nobody.
func validatePodNetworks(spec *v1alpha1.DebugClassSpec) []string {
	if spec.PodNetworks == nil {
		return nil
	}
	var wrong []string
	if _, err := metav1.LabelSelectorAsSelector(&spec.PodNetworks.NamespaceSelector); err != nil {
		wrong = append(wrong, fmt.Sprintf("spec.podNetworks.namespaceSelector: %v", err))
	}
	if !slices.Contains(spec.Modes, v1alpha1.ModeNode) {
		wrong = append(wrong, "spec.podNetworks is for mode Node: add it to modes, with nodeNamespace")
	}
	if why := unsafePodNetworks(spec); why != "" {
		wrong = append(wrong, why)
	}
	return wrong
}

// validateImages refuses patterns that are none, and a default image that they do not allow.
func validateImages(spec *v1alpha1.DebugClassSpec) []string {
	wrong := append(validatePatterns("spec.images", spec.Images), validatePatterns("spec.targetImages", spec.TargetImages)...)
	image := defaultImage(spec)
	if image == "" || len(wrong) > 0 {
		return wrong
	}
	if _, err := imagepattern.Normalize(image); err != nil {
		return []string{fmt.Sprintf("spec.defaults.image: %v", err)}
	}
	if allowed, err := imagepattern.MatchAny(spec.Images, image); len(spec.Images) > 0 && (err != nil || !allowed) {
		return []string{fmt.Sprintf("spec.defaults.image: %q is not allowed by spec.images; add it there, or choose another", image)}
	}
	return nil
}

func validatePatterns(field string, patterns []string) []string {
	var wrong []string
	for i, pattern := range patterns {
		if _, err := imagepattern.Parse(pattern); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s[%d]: %v", field, i, err))
		}
	}
	return wrong
}

// validateBounds refuses bounds that would bind nothing: of a name that no container claims, or of none of what a container that
// claims none has all the same.
func validateBounds(field string, bounds corev1.ResourceList) []string {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(bounds)) {
		most := bounds[name]
		switch {
		case !claimable(name):
			wrong = append(wrong, fmt.Sprintf("%s: %q is not a container resource: use cpu, memory, ephemeral-storage, an extended resource such as nvidia.com/gpu, or %s",
				field, name, debugpod.ResourceClaims))
		case most.Sign() < 0, most.Sign() == 0 && debugpod.IsNative(name):
			wrong = append(wrong, fmt.Sprintf("%s: %s of %s sets no bound: it must be greater than 0", field, most.String(), name))
		}
	}
	return wrong
}

// claimable reports whether a container can claim something of that name. What else a ResourceQuota counts is none of a container's.
func claimable(name corev1.ResourceName) bool {
	counted := strings.HasPrefix(string(name), "count/") && name != debugpod.ResourceClaims
	return debugpod.IsNative(name) || strings.Contains(string(name), "/") && !counted || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

func defaultImage(spec *v1alpha1.DebugClassSpec) string {
	if spec.Defaults == nil {
		return ""
	}
	return spec.Defaults.Image
}
