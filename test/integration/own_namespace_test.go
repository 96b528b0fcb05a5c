package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/operator"
)

var _ = Describe("namespaces that are worth the whole cluster", func() {
	named := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: name}}
	}
	without := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{name}},
		}}
	}

	It("refuses its own to a class that does not name it, in every mode", func(ctx SpecContext) {
		startOperator(&kubelet{})
		own := operator.DefaultNamespace
		newClass(ctx, "anywhere", func(c *v1alpha1.DebugClass) {
			c.Spec.Modes, c.Spec.NodeNamespace = append(c.Spec.Modes, v1alpha1.ModeNode), own
		})
		newClass(ctx, "for-the-operator", func(c *v1alpha1.DebugClass) {
			c.Spec.Modes, c.Spec.NodeNamespace, c.Spec.NamespaceSelector = append(c.Spec.Modes, v1alpha1.ModeNode), own, named(own)
		})
		for _, mode := range v1alpha1.Modes() {
			session := newSession(own, "hang", "web")
			session.Spec.Mode, session.Spec.ClassName = mode, "anywhere"
			if mode == v1alpha1.ModeNode {
				session.Spec.Target = v1alpha1.Target{NodeName: "node-1"}
			}
			Eventually(func() error { return k8s.Create(ctx, session.DeepCopy(), client.DryRunAll) }).
				Should(MatchError(ContainSubstring(`class "anywhere" cannot be used in this namespace: it is the operator's own`)))
			session.Spec.ClassName = "for-the-operator"
			Eventually(func() error { return k8s.Create(ctx, session.DeepCopy(), client.DryRunAll) }).Should(Succeed())
		}
	})

	It("warns of kube-system, of the class and of the session", func(ctx SpecContext) {
		startOperator(&kubelet{})
		admin := newPerson("admin-2", "system:masters")
		class := func(name string, change func(*v1alpha1.DebugClassSpec)) []string {
			GinkgoHelper()
			class := &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.DebugClassSpec{
				Modes: []v1alpha1.Mode{v1alpha1.ModePodCopy}, Profiles: []v1alpha1.Profile{v1alpha1.ProfileGeneral},
				MaxTTL: metav1.Duration{Duration: 3600e9},
			}}
			change(&class.Spec)
			before := len(admin.warnings.all())
			Expect(admin.Create(ctx, class)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, class)).To(Succeed()) })
			return admin.warnings.all()[before:]
		}
		reaches := ContainElement(ContainSubstring("the class selects namespace kube-system"))
		Expect(class("wide", func(*v1alpha1.DebugClassSpec) {})).To(reaches)
		Expect(class("narrow", func(s *v1alpha1.DebugClassSpec) { s.NamespaceSelector = without(metav1.NamespaceSystem) })).NotTo(reaches)
		Expect(class("meant", func(s *v1alpha1.DebugClassSpec) { s.NamespaceSelector = named(metav1.NamespaceSystem) })).NotTo(reaches)
		Expect(class("else", func(s *v1alpha1.DebugClassSpec) { s.NamespaceSelector = named("shop") })).NotTo(reaches)
		Expect(class("nodes", func(s *v1alpha1.DebugClassSpec) {
			s.Modes, s.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, "shop"
		})).NotTo(reaches)
		Expect(class("own-nodes", func(s *v1alpha1.DebugClassSpec) {
			s.Modes, s.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, operator.DefaultNamespace
		})).To(ContainElement(ContainSubstring("spec.nodeNamespace: " + operator.DefaultNamespace + " is the operator's own namespace")))

		session := func(class string) func() []string {
			return func() []string {
				asked := newSession(metav1.NamespaceSystem, "hang", "web")
				asked.Spec.ClassName, asked.Spec.Mode = class, v1alpha1.ModePodCopy
				before := len(admin.warnings.all())
				Expect(admin.Create(ctx, asked, client.DryRunAll)).To(Succeed())
				return admin.warnings.all()[before:]
			}
		}
		unnamed := ContainElement(ContainSubstring("does not name namespace kube-system, and reaches it"))
		Eventually(session("wide")).Should(unnamed)
		Eventually(session("meant")).ShouldNot(Or(BeEmpty(), unnamed), "the dry run tells of the pod alone")
	})
})
