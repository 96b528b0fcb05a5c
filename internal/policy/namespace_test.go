package policy_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/policy"
)

// The operator's own namespace is reached in no mode unless a class was written for it.
func TestOwnNamespace(t *testing.T) {
	const own = "tools"
	named := func(operator metav1.LabelSelectorOperator, values ...string) *metav1.LabelSelector {
		return &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: corev1.LabelMetadataName, Operator: operator, Values: values}},
		}
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
		for _, mode := range v1alpha1.Modes() {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				class := fixture.Class()
				class.Spec.NamespaceSelector, class.Spec.NodeNamespace = tc.selector, own
				class.Spec.Modes = v1alpha1.Modes()
				session := fixture.Session()
				session.Spec.Mode = mode
				set := labels.Set{corev1.LabelMetadataName: own, "team": "platform"}
				if why := policy.Check(class, session, set, true); (why == "") != tc.allowed {
					t.Errorf("it says %q, want allowed %t", why, tc.allowed)
				}
				if why := policy.Check(class, session, set, false); why != "" {
					t.Errorf("elsewhere: %s", why)
				}
				if tc.allowed {
					return
				}
				if policy.Check(class, session, nil, true) == "" {
					t.Error("without labels it is allowed")
				}
			})
		}
	}
}

func TestNodesInOneNamespaceAlone(t *testing.T) {
	session := fixture.Session(func(s *v1alpha1.DebugSession) {
		s.Spec.Mode, s.Spec.Target = v1alpha1.ModeNode, v1alpha1.Target{NodeName: "node-1"}
	})
	in := func(namespace string) labels.Set { return labels.Set{corev1.LabelMetadataName: namespace} }
	for name, tc := range map[string]struct {
		class     func(*v1alpha1.DebugClassSpec)
		namespace labels.Set
		says      string
	}{
		"a class that does not allow the mode": {
			func(c *v1alpha1.DebugClassSpec) { c.NodeNamespace = "ops" },
			in("ops"),
			"spec.mode: Node is not allowed",
		},
		"a class that has no nodeNamespace": {
			func(c *v1alpha1.DebugClassSpec) { c.Modes = append(c.Modes, v1alpha1.ModeNode) },
			in("ops"),
			"has no nodeNamespace",
		},
		"nor one without a name": {
			func(c *v1alpha1.DebugClassSpec) { c.Modes = append(c.Modes, v1alpha1.ModeNode) },
			nil,
			"has no nodeNamespace",
		},
		"another namespace": {func(c *v1alpha1.DebugClassSpec) {
			c.Modes, c.NodeNamespace = append(c.Modes, v1alpha1.ModeNode), "ops"
		}, in("shop"), `only in namespace "ops"`},
		"that namespace": {func(c *v1alpha1.DebugClassSpec) {
			c.Modes, c.NodeNamespace = append(c.Modes, v1alpha1.ModeNode), "ops"
		}, in("ops"), ""},
	} {
		why := policy.Check(fixture.Class(tc.class), session, tc.namespace, false)
		if (why != "") != (tc.says != "") || !strings.Contains(why, tc.says) {
			t.Errorf("%s: %q, want %q", name, why, tc.says)
		}
	}
}
