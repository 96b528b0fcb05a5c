package policy

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
)

// AllowsMode reports whether a class is for sessions of this one's mode where it is, whatever else it allows.
func AllowsMode(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, namespace labels.Set, inOwn bool) bool {
	return checkMode(class, spec) == "" && checkNamespace(class, spec, namespace, inOwn) == ""
}

func checkNamespace(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, namespace labels.Set, inOwn bool) string {
	if why := checkNodeNamespace(class, spec, namespace); why != "" {
		return by(class.Name, why)
	}
	if !selects(class.Spec.NamespaceSelector, namespace) {
		return fmt.Sprintf("class %q cannot be used in this namespace: its namespaceSelector is %s", class.Name, metav1.FormatLabelSelector(class.Spec.NamespaceSelector))
	}
	if name := namespace[corev1.LabelMetadataName]; inOwn && !NamesNamespace(class, name) {
		return fmt.Sprintf("class %q cannot be used in this namespace: it is the operator's own, from which any pod in the cluster can be reached; "+
			"only a class whose namespaceSelector names it by its label %s can be used here", class.Name, corev1.LabelMetadataName)
	}
	return ""
}

// NamesNamespace reports whether a class has been written for a namespace: its namespaceSelector demands the namespace's very name. That
// it matches otherwise may be an oversight.
func NamesNamespace(class *v1alpha1.DebugClass, namespace string) bool {
	return selectorNames(class.Spec.NamespaceSelector, namespace)
}

func selectorNames(selector *metav1.LabelSelector, namespace string) bool {
	if selector == nil || namespace == "" {
		return false
	}
	return selector.MatchLabels[corev1.LabelMetadataName] == namespace ||
		slices.ContainsFunc(selector.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
			return r.Key == corev1.LabelMetadataName && r.Operator == metav1.LabelSelectorOpIn && slices.Contains(r.Values, namespace)
		})
}

// Reaches reports whether sessions of a class may be in a namespace of that name and those labels.
func Reaches(class *v1alpha1.DebugClass, name string, namespace labels.Set) bool {
	everywhere := slices.ContainsFunc(class.Spec.Modes, func(m v1alpha1.Mode) bool { return m != v1alpha1.ModeNode })
	return (everywhere || class.Spec.NodeNamespace == name) && selects(class.Spec.NamespaceSelector, namespace)
}

// checkNodeNamespace keeps pods that may be root on a node where the class wants them: the API server puts its name on
// every namespace as a label, which nobody can change.
func checkNodeNamespace(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, namespace labels.Set) string {
	switch allowed := class.Spec.NodeNamespace; {
	case spec.Mode != v1alpha1.ModeNode || allowed != "" && namespace[corev1.LabelMetadataName] == allowed:
		return ""
	case allowed == "":
		return "spec.mode: nodes may not be debugged, as the class has no nodeNamespace"
	default:
		return fmt.Sprintf("spec.mode: nodes may be debugged only in namespace %q; apply the session there", allowed)
	}
}

// CheckPod says why the class does not allow the pod, or pod template, as a target, by its labels; empty if it does. The messages call it
// as they are told to.
func CheckPod(class *v1alpha1.DebugClass, pod *corev1.Pod, called string) string {
	if selects(class.Spec.PodSelector, labels.Set(pod.Labels)) {
		return ""
	}
	return fmt.Sprintf("class %q cannot be used for %s: its podSelector is %s",
		class.Name, called, metav1.FormatLabelSelector(class.Spec.PodSelector))
}

// selects reports whether an optional selector takes these labels. One that cannot be read takes nothing.
func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	if selector == nil {
		return true
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}
