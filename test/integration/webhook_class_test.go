package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("admission of classes", Ordered, func() {
	var admin *person

	class := func(change func(*v1alpha1.DebugClassSpec)) *v1alpha1.DebugClass {
		c := &v1alpha1.DebugClass{
			ObjectMeta: metav1.ObjectMeta{Name: "tried"},
			Spec: v1alpha1.DebugClassSpec{
				Modes: []v1alpha1.Mode{v1alpha1.ModePodCopy}, Profiles: []v1alpha1.Profile{v1alpha1.ProfileGeneral},
				MaxTTL: metav1.Duration{Duration: 3600e9},
			},
		}
		change(&c.Spec)
		return c
	}

	BeforeAll(func() {
		startOperator(&kubelet{})
		admin = newPerson("root", "system:masters")
	})

	DescribeTable("refuses what cannot work",
		func(ctx SpecContext, change func(*v1alpha1.DebugClassSpec), says string) {
			Expect(refusal(admin.Create(ctx, class(change), client.DryRunAll))).To(ContainSubstring(says))
		},
		Entry("an image pattern", func(s *v1alpha1.DebugClassSpec) { s.Images = []string{"busybox", "UPPER/case"} }, "spec.images[1]: "),
		Entry("a default image that no pattern allows", func(s *v1alpha1.DebugClassSpec) {
			s.Images, s.Defaults = []string{"registry.example/**"}, &v1alpha1.ClassDefaults{Image: "busybox"}
		}, `spec.defaults.image: "busybox" is not allowed by spec.images`),
		Entry("a default image that is no image", func(s *v1alpha1.DebugClassSpec) { s.Defaults = &v1alpha1.ClassDefaults{Image: "a b"} },
			"spec.defaults.image: "),
		Entry("a bound on what is no resource", func(s *v1alpha1.DebugClassSpec) {
			s.Resources = &v1alpha1.ResourceBounds{Pod: corev1.ResourceList{"Memory": resource.MustParse("1Gi")}}
		}, `spec.resources.pod: "Memory" is not a container resource`),
		Entry("a bound on what only a quota counts", func(s *v1alpha1.DebugClassSpec) {
			s.Resources = &v1alpha1.ResourceBounds{Pod: corev1.ResourceList{"count/pods": resource.MustParse("1"),
				"count/resourceclaims.resource.k8s.io": resource.MustParse("0")}}
		}, `spec.resources.pod: "count/pods" is not a container resource: use cpu, memory, ephemeral-storage, an extended resource `+
			`such as nvidia.com/gpu, or count/resourceclaims.resource.k8s.io`),
		Entry("a bound of nothing", func(s *v1alpha1.DebugClassSpec) {
			s.Resources = &v1alpha1.ResourceBounds{
				Debugger: corev1.ResourceList{"cpu": resource.MustParse("0"), "nvidia.com/gpu": resource.MustParse("0")},
			}
		}, "spec.resources.debugger: 0 of cpu sets no bound"),
		Entry("a reason's pattern", func(s *v1alpha1.DebugClassSpec) { s.Reason = &v1alpha1.ReasonPolicy{Pattern: "("} },
			"spec.reason.pattern: "),
		Entry("a namespace selector", func(s *v1alpha1.DebugClassSpec) {
			s.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}
		}, "spec.namespaceSelector: "),
		Entry("a pod selector", func(s *v1alpha1.DebugClassSpec) {
			s.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "not a label value"}}
		}, "spec.podSelector: "),
	)

	DescribeTable("refuses warnings of the end that could not be given",
		func(ctx SpecContext, warnings []metav1.Duration, says string) {
			err := admin.Create(ctx, class(func(s *v1alpha1.DebugClassSpec) { s.EndWarnings = warnings }), client.DryRunAll)
			Expect(err).To(MatchError(ContainSubstring(says)))
		},
		Entry("too near", []metav1.Duration{{Duration: time.Minute}, {Duration: 9 * time.Second}},
			"each must be a duration from 10s to 24h before the end"),
		Entry("too far", []metav1.Duration{{Duration: 24*time.Hour + time.Second}},
			"each must be a duration from 10s to 24h before the end"),
		Entry("of a fraction of a second", []metav1.Duration{{Duration: 10500 * time.Millisecond}},
			"each must be a duration from 10s to 24h before the end"),
		Entry("too many", []metav1.Duration{{Duration: 1e10}, {Duration: 2e10}, {Duration: 3e10}, {Duration: 4e10}, {Duration: 5e10}},
			"must have at most 4 items"),
		Entry("twice the same", []metav1.Duration{{Duration: time.Minute}, {Duration: time.Minute}}, "Duplicate value"),
	)

	It("refuses a default that is beyond what it allows", func(ctx SpecContext) {
		err := admin.Create(ctx, class(func(s *v1alpha1.DebugClassSpec) {
			s.Defaults = &v1alpha1.ClassDefaults{IdleTimeout: &metav1.Duration{Duration: 11 * time.Minute}}
			s.MaxIdleTimeout = &metav1.Duration{Duration: 10 * time.Minute}
		}), client.DryRunAll)
		Expect(err).To(MatchError(ContainSubstring("defaults.idleTimeout must not be longer than maxIdleTimeout")))
	})

	It("warns of the end 5 minutes and a minute before unless it says otherwise", func(ctx SpecContext) {
		silent := class(func(s *v1alpha1.DebugClassSpec) { s.EndWarnings = []metav1.Duration{} })
		Expect(admin.Create(ctx, silent, client.DryRunAll)).To(Succeed())
		Expect(silent.Spec.EndWarnings).To(BeEmpty())
		usual := class(func(*v1alpha1.DebugClassSpec) {})
		Expect(admin.Create(ctx, usual, client.DryRunAll)).To(Succeed())
		Expect(usual.Spec.EndWarnings).To(Equal([]metav1.Duration{{Duration: 5 * time.Minute}, {Duration: time.Minute}}))
	})

	It("says all that is wrong at once", func(ctx SpecContext) {
		message := refusal(admin.Create(ctx, class(func(s *v1alpha1.DebugClassSpec) {
			s.Images, s.Reason = []string{"a b"}, &v1alpha1.ReasonPolicy{Pattern: "["}
		})))
		Expect(message).To(And(ContainSubstring("spec.images[0]"), ContainSubstring("spec.reason.pattern")))
	})

	It("warns of subjects that are everybody", func(ctx SpecContext) {
		all := []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: "sre"}, {Kind: v1alpha1.SubjectGroup, Name: "system:authenticated"}}
		Expect(admin.Create(ctx, class(func(s *v1alpha1.DebugClassSpec) {
			s.Access, s.Approval = &v1alpha1.AccessPolicy{Subjects: all}, &v1alpha1.ApprovalPolicy{Required: 1, Exempt: all}
		}), client.DryRunAll)).To(Succeed())
		for _, field := range []string{"spec.access.subjects[1]", "spec.approval.exempt[1]"} {
			Expect(admin.warnings.all()).To(ContainElement(HavePrefix(field + ": group system:authenticated includes everyone")))
		}
		Expect(admin.warnings.all()).NotTo(ContainElement(ContainSubstring("sre")))
	})

	It("warns of a second default", func(ctx SpecContext) {
		second := class(func(*v1alpha1.DebugClassSpec) {})
		second.Annotations = map[string]string{v1alpha1.AnnotationDefaultClass: "true"}
		Expect(admin.Create(ctx, second, client.DryRunAll)).To(Succeed())
		Expect(admin.warnings.all()).To(ContainElement(ContainSubstring(`DebugClass "standard" is also marked as the default`)))
	})
})
