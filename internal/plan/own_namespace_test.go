package plan_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// The operator's own namespace is reached in no mode unless a class was written for it.
func TestOwnNamespace(t *testing.T) {
	const own = "tools"
	named := func(operator metav1.LabelSelectorOperator, values ...string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: corev1.LabelMetadataName, Operator: operator, Values: values}}}
	}
	for name, tc := range map[string]struct {
		selector *metav1.LabelSelector
		allowed  bool
	}{
		"no selector":       {nil, false},
		"an empty selector": {&metav1.LabelSelector{}, false},
		"by another label":  {&metav1.LabelSelector{MatchLabels: map[string]string{"team": "platform"}}, false},
		"all but others":    {named(metav1.LabelSelectorOpNotIn, "kube-system"), false},
		"any name":          {named(metav1.LabelSelectorOpExists), false},
		"by its name":       {&metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: own}}, true},
		"among names":       {named(metav1.LabelSelectorOpIn, "shop", own), true},
	} {
		for _, mode := range []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer, v1alpha1.ModePodCopy, v1alpha1.ModeNode} {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				class := fixture.Class()
				class.Spec.NamespaceSelector, class.Spec.NodeNamespace = tc.selector, own
				class.Spec.Modes = append(class.Spec.Modes, v1alpha1.ModeNode)
				session := fixture.Session()
				session.Spec.Mode = mode
				set := labels.Set{corev1.LabelMetadataName: own, "team": "platform"}
				if refusal := plan.ForbiddenBy(class, &session.Spec, set, true); (refusal == nil) != tc.allowed {
					t.Errorf("refusal %v, want allowed %t", refusal, tc.allowed)
				}
				if refusal := plan.ForbiddenBy(class, &session.Spec, set, false); refusal != nil {
					t.Errorf("elsewhere: %v", refusal)
				}
				if tc.allowed {
					return
				}
				if refusal := plan.ForbiddenBy(class, &session.Spec, nil, true); refusal == nil {
					t.Error("without labels it is allowed")
				}
			})
		}
	}
}
