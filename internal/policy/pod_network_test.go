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

func forNetworks(changes ...func(*v1alpha1.DebugClassSpec)) *v1alpha1.DebugClass {
	return fixture.Class(append([]func(*v1alpha1.DebugClassSpec){func(c *v1alpha1.DebugClassSpec) {
		c.Modes, c.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, fixture.Namespace
		c.PodNetworks, c.Approval = &v1alpha1.PodNetworkPolicy{}, &v1alpha1.ApprovalPolicy{Required: 1}
	}}, changes...)...)
}

// A class that lets somebody into a pod's network without another's approval, or into the container itself, is refused, and so is each
// session of one that was stored before.
func TestPodNetworksNeedApproval(t *testing.T) {
	type class = v1alpha1.DebugClassSpec
	session := fixture.Session(func(s *v1alpha1.DebugSession) {
		s.Spec.Mode, s.Spec.Profile = v1alpha1.ModeNode, v1alpha1.ProfileBaseline
		s.Spec.Target = v1alpha1.Target{PodName: "web", PodNamespace: "tenant"}
	})
	namespace := labels.Set{corev1.LabelMetadataName: fixture.Namespace}
	for name, tc := range map[string]struct {
		class func(*class)
		says  string // empty: it is fine
	}{
		"approved":          {func(*class) {}, ""},
		"attached to":       {func(c *class) { c.Access = &v1alpha1.AccessPolicy{Verbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach}} }, ""},
		"no approval":       {func(c *class) { c.Approval = nil }, "set approval.required"},
		"0 approvals":       {func(c *class) { c.Approval.Required = 0 }, "set approval.required"},
		"one's own":         {func(c *class) { c.Approval.SelfApproval = true }, "remove approval.selfApproval"},
		"none for some":     {func(c *class) { c.Approval.Exempt = []v1alpha1.Subject{{Kind: "User", Name: "flux"}} }, "remove approval.exempt"},
		"none before":       {func(c *class) { c.Approval.Emergency = &v1alpha1.EmergencyPolicy{} }, "remove approval.emergency"},
		"to be executed in": {func(c *class) { c.Access = &v1alpha1.AccessPolicy{Verbs: []v1alpha1.AccessVerb{v1alpha1.AccessExec}} }, "remove it from access.verbs"},
	} {
		t.Run(name, func(t *testing.T) {
			class := forNetworks(tc.class)
			for who, why := range map[string]string{
				"the class":   strings.Join(policy.Validate(&class.Spec), "; "),
				"the session": policy.Check(class, session, namespace, false),
			} {
				if (why == "") != (tc.says == "") || !strings.Contains(why, tc.says) {
					t.Errorf("%s: %q, want %q", who, why, tc.says)
				}
			}
		})
	}
	for name, tc := range map[string]struct {
		class   *v1alpha1.DebugClass
		session func(*v1alpha1.DebugSessionSpec)
		says    string
	}{
		"of a class that says nothing of it": {forNetworks(func(c *class) { c.PodNetworks = nil }), nil, "ask an administrator for a class that has podNetworks"},
		"with privileges":                    {forNetworks(), func(s *v1alpha1.DebugSessionSpec) { s.Profile = v1alpha1.ProfileSysadmin }, "sysadmin is not for a pod's network"},
		"the class's own profile":            {forNetworks(), func(s *v1alpha1.DebugSessionSpec) { s.Profile = "" }, "general is not for a pod's network"},
		"files of it to keep": {forNetworks(func(c *class) { c.Artifacts = &v1alpha1.ArtifactPolicy{} }),
			func(s *v1alpha1.DebugSessionSpec) { s.Debugger.Artifacts = []string{"/tmp/dump.pcap"} }, "spec.debugger.artifacts"},
		"a node": {forNetworks(), func(s *v1alpha1.DebugSessionSpec) { s.Target = v1alpha1.Target{NodeName: "node-1"} }, "for no node"},
	} {
		t.Run(name, func(t *testing.T) {
			session := session.DeepCopy()
			if tc.session != nil {
				tc.session(&session.Spec)
			}
			if why := policy.Check(tc.class, session, namespace, false); !strings.Contains(why, tc.says) {
				t.Errorf("%q, want %q", why, tc.says)
			}
		})
	}
	if wrong := policy.Validate(&forNetworks(func(c *class) { c.Modes = []v1alpha1.Mode{v1alpha1.ModePodCopy} }).Spec); len(wrong) != 1 {
		t.Errorf("a class without mode Node: %q", wrong)
	}
}

func TestCheckPodNamespace(t *testing.T) {
	named := func(names ...string) func(*v1alpha1.DebugClassSpec) {
		return func(c *v1alpha1.DebugClassSpec) {
			c.PodNetworks.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: names}}
		}
	}
	tenants := func(c *v1alpha1.DebugClassSpec) {
		c.PodNetworks.NamespaceSelector.MatchLabels = map[string]string{"tenant": "yes"}
	}
	everywhere := func(*v1alpha1.DebugClassSpec) {}
	for name, tc := range map[string]struct {
		class     func(*v1alpha1.DebugClassSpec)
		namespace string
		labels    labels.Set
		allowed   bool
	}{
		"all":                           {everywhere, "shop", nil, true},
		"one that is selected":          {tenants, "shop", labels.Set{"tenant": "yes"}, true},
		"one that is not":               {tenants, "shop", labels.Set{"tenant": "no"}, false},
		"kube-system":                   {everywhere, "kube-system", nil, false},
		"kube-system, as it has labels": {tenants, "kube-system", labels.Set{"tenant": "yes"}, false},
		"kube-system, named":            {named("kube-system"), "kube-system", nil, true},
		"the operator's own":            {everywhere, "debugsession-system", nil, false},
		"the operator's own, named":     {named("x", "debugsession-system"), "debugsession-system", nil, true},
		"no podNetworks any more":       {func(c *v1alpha1.DebugClassSpec) { c.PodNetworks = nil }, "shop", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			set := labels.Merge(tc.labels, labels.Set{corev1.LabelMetadataName: tc.namespace})
			if why := policy.CheckPodNamespace(forNetworks(tc.class), tc.namespace, set, "debugsession-system"); (why == "") != tc.allowed {
				t.Errorf("%q", why)
			}
		})
	}
}
