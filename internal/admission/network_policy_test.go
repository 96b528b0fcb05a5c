package admission_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"
)

func manifest(t *testing.T, into any, path ...string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "config"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatal(err)
	}
}

// The policy that may be installed keeps everybody but those that it names from the webhooks, and nobody from what else is served.
func TestNetworkPolicyIsForTheWebhooks(t *testing.T) {
	var policy networkingv1.NetworkPolicy
	manifest(t, &policy, "network-policy", "webhook.yaml")
	var deployment appsv1.Deployment
	manifest(t, &deployment, "manager", "deployment.yaml")

	if pods := deployment.Spec.Template.Labels; policy.Namespace != deployment.Namespace ||
		!labels.SelectorFromSet(policy.Spec.PodSelector.MatchLabels).Matches(labels.Set(pods)) {
		t.Errorf("it selects %v in %s, and the operator's pods are %v in %s", policy.Spec.PodSelector.MatchLabels, policy.Namespace, pods,
			deployment.Namespace)
	}
	if !slices.Equal(policy.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) {
		t.Errorf("it is for %v", policy.Spec.PolicyTypes)
	}
	served, anybody := sets.New[string](), sets.New[string]()
	for _, port := range deployment.Spec.Template.Spec.Containers[0].Ports {
		served.Insert(port.Name)
	}
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			switch name := port.Port.StrVal; {
			case *port.Protocol != corev1.ProtocolTCP || !served.Has(name):
				t.Errorf("nothing is served at port %q", name)
			case len(rule.From) == 0:
				anybody.Insert(name)
			case name != "webhook":
				t.Errorf("port %q is kept from others", name)
			}
		}
	}
	if want := served.Clone().Delete("webhook"); !anybody.Equal(want) {
		t.Errorf("everybody reaches %v, want %v", sets.List(anybody), sets.List(want))
	}
}
