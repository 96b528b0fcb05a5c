package policy_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/policy"
)

func TestValidate(t *testing.T) {
	type class = v1alpha1.DebugClassSpec
	bounds := func(name corev1.ResourceName, most string) func(*class) {
		return func(c *class) {
			c.Resources = &v1alpha1.ResourceBounds{Pod: corev1.ResourceList{name: resource.MustParse(most)}}
		}
	}
	nonsense := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Is"}}}
	for name, tc := range map[string]struct {
		change func(*class)
		says   []string // each of another fault
	}{
		"a class":         {func(*class) {}, nil},
		"a pattern":       {func(c *class) { c.Images = []string{"tools", "a b"} }, []string{"spec.images[1]: "}},
		"a default image": {func(c *class) { c.Defaults = &v1alpha1.ClassDefaults{Image: "a b"} }, []string{"spec.defaults.image: "}},
		"a forbidden default": {
			func(c *class) { c.Images, c.Defaults = []string{"tools"}, &v1alpha1.ClassDefaults{Image: "busybox"} },
			[]string{`spec.defaults.image: "busybox" is not allowed`},
		},
		"no resource":     {bounds("pods", "1"), []string{`spec.resources.pod: "pods" is not a container resource`}},
		"no bound":        {bounds(corev1.ResourceMemory, "0"), []string{"spec.resources.pod: 0 of memory sets no bound"}},
		"an extended one": {bounds("nvidia.com/gpu", "0"), nil},
		"everything at once": {func(c *class) {
			c.Reason, c.NamespaceSelector, c.PodSelector = &v1alpha1.ReasonPolicy{Pattern: "("}, nonsense, nonsense
			c.VolumeClaims.Selector, c.TargetImages = nonsense, []string{"a b"}
		}, []string{"spec.targetImages[0]: ", "spec.reason.pattern: ", "spec.namespaceSelector: ", "spec.podSelector: ", "spec.volumeClaims.selector: "}},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := policy.Validate(&fixture.Class(tc.change).Spec)
			if len(wrong) != len(tc.says) {
				t.Fatalf("it says %q, want %q", wrong, tc.says)
			}
			for i := range wrong {
				if !strings.HasPrefix(wrong[i], tc.says[i]) {
					t.Errorf("it says %q, want %q", wrong[i], tc.says[i])
				}
			}
		})
	}
}
