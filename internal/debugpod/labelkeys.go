package debugpod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// dropMergedLabelKeys removes from the selectors of affinities and spread constraints what the API server put there when
// the target was created: for each of matchLabelKeys and mismatchLabelKeys, a requirement with the value of the pod's
// label. It adds them again to a copy that has the labels, and then refuses the copy for naming the key twice.
//
// A copy without the labels gets nothing added, and keeps the requirements: they say what the target's owner meant.
func dropMergedLabelKeys(spec *corev1.PodSpec, labels map[string]string) {
	for i := range spec.TopologySpreadConstraints {
		constraint := &spec.TopologySpreadConstraints[i]
		dropMerged(constraint.LabelSelector, constraint.MatchLabelKeys, metav1.LabelSelectorOpIn, labels)
	}
	for _, term := range podAffinityTerms(spec.Affinity) {
		dropMerged(term.LabelSelector, term.MatchLabelKeys, metav1.LabelSelectorOpIn, labels)
		dropMerged(term.LabelSelector, term.MismatchLabelKeys, metav1.LabelSelectorOpNotIn, labels)
	}
}

func dropMerged(selector *metav1.LabelSelector, keys []string, operator metav1.LabelSelectorOperator, labels map[string]string) {
	if selector == nil {
		return
	}
	selector.MatchExpressions = slices.DeleteFunc(selector.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
		value, labelled := labels[r.Key]
		return labelled && slices.Contains(keys, r.Key) && r.Operator == operator && slices.Equal(r.Values, []string{value})
	})
}

// podAffinityTerms returns all terms of pod affinity and anti-affinity, for changing them in place.
func podAffinityTerms(affinity *corev1.Affinity) []*corev1.PodAffinityTerm {
	if affinity == nil {
		return nil
	}
	var terms []*corev1.PodAffinityTerm
	add := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
		for i := range required {
			terms = append(terms, &required[i])
		}
		for i := range preferred {
			terms = append(terms, &preferred[i].PodAffinityTerm)
		}
	}
	if a := affinity.PodAffinity; a != nil {
		add(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := affinity.PodAntiAffinity; a != nil {
		add(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return terms
}
