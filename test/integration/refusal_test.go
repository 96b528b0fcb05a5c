package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("what the API server refuses", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		createAnything(ctx)
	})

	refused := func(ctx context.Context, session *v1alpha1.DebugSession, says ...string) {
		GinkgoHelper()
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonRefused)
		admissible := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionAdmissible)
		Expect(admissible.Status).To(Equal(metav1.ConditionFalse))
		for _, words := range says {
			Expect(said(session)).To(ContainSubstring(words))
		}
		Eventually(func(g Gomega) {
			events := &eventsv1.EventList{}
			g.Expect(k8s.List(ctx, events, client.InNamespace(session.Namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(And(
				HaveField("Regarding.UID", session.UID), HaveField("Reason", string(v1alpha1.OutcomeRejected)),
				HaveField("Type", corev1.EventTypeWarning), HaveField("Note", ContainSubstring(says[0])))))
		}).Should(Succeed())
	}
	privileged := func(s *v1alpha1.DebugSession) {
		s.Spec.Debugger.SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	}
	// hardened makes a pod fit for the restricted level.
	hardened := func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(1000)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
		for i := range p.Spec.Containers {
			p.Spec.Containers[i].SecurityContext = &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
		}
	}

	for mode, options := range map[string][]fixture.SessionOption{"injecting": nil, "copying": {fixture.AsCopy()}} {
		DescribeTable(mode+", by PodSecurity", func(ctx SpecContext, level string, change fixture.SessionOption, says string) {
			namespace := newNamespace(ctx, map[string]string{"pod-security.kubernetes.io/enforce": level})
			runningPod(ctx, namespace, "web", hardened)
			session := create(ctx, namespace, "hang", append([]fixture.SessionOption{change}, options...)...)
			refused(ctx, session, `violates PodSecurity "`+level+`:latest": `, says,
				"use a profile that the namespace's Pod Security level allows")
		},
			Entry("baseline, of privileges", "baseline", fixture.SessionOption(privileged), "privileged (container"),
			Entry("restricted, of a capability", "restricted", fixture.SessionOption(asItIs),
				"allowPrivilegeEscalation != false (container"),
		)
	}

	It("a debugger that PodSecurity allows is not", func(ctx SpecContext) {
		namespace := newNamespace(ctx, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
		pod := runningPod(ctx, namespace, "web", hardened)
		injected(ctx, create(ctx, namespace, "hang", func(s *v1alpha1.DebugSession) { s.Spec.Profile = v1alpha1.ProfileRestricted }), pod)
	})

	It("a copy, by ResourceQuota", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		runningPod(ctx, namespace, "web")
		Expect(k8s.Create(ctx, &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pods"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
		})).To(Succeed())
		quotaCounts(ctx, namespace)
		refused(ctx, create(ctx, namespace, "hang", fixture.AsCopy()),
			"exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1", "free some of the namespace's quota")
	})

	// bindMountOptions are disabled in each Kubernetes of test/cluster, or not known to it.
	DescribeTable("or would leave out without a word", func(ctx SpecContext, options ...fixture.SessionOption) {
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "web", func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		})
		mounted := func(named ...string) fixture.SessionOption {
			return func(s *v1alpha1.DebugSession) {
				s.Spec.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data", BindMountOptions: named}}
			}
		}
		session := create(ctx, namespace, "restricted", append(options, mounted("noexec"))...)
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonInvalid)
		Expect(said(session)).To(ContainSubstring("the API server would ignore bindMountOptions"))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		Expect(pod.Spec.EphemeralContainers).To(BeEmpty())
		pods := &corev1.PodList{}
		Expect(k8s.List(ctx, pods, client.InNamespace(namespace))).To(Succeed())
		Expect(pods.Items).To(HaveLen(1))

		reaches(ctx, create(ctx, namespace, "plain", append(options, mounted())...), v1alpha1.PhaseStarting)
	},
		Entry("in an ephemeral container"),
		Entry("in a copy", fixture.AsCopy()),
	)

	It("a debugger, by a ValidatingAdmissionPolicy", func(ctx SpecContext) {
		namespace := newNamespace(ctx, map[string]string{"no-busybox": "true"})
		pod := runningPod(ctx, namespace, "web")
		forbidBusybox(ctx)
		Eventually(func() error {
			trial := pod.DeepCopy()
			trial.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "trial", Image: "busybox:1", ImagePullPolicy: corev1.PullIfNotPresent,
				TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			}}}
			return k8s.SubResource("ephemeralcontainers").Update(ctx, trial, client.DryRunAll)
		}).Should(MatchError(ContainSubstring("bring your own"))) // the API server learns of policies a moment later
		refused(ctx, create(ctx, namespace, "hang"), "bring your own busybox", "ask that policy's owner why")
	})
})

// quotaCounts does what the controller manager does, of which there is none here.
func quotaCounts(ctx context.Context, namespace string) {
	GinkgoHelper()
	quota := &corev1.ResourceQuota{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "pods"}, quota)).To(Succeed())
	quota.Status = corev1.ResourceQuotaStatus{
		Hard: quota.Spec.Hard,
		Used: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")},
	}
	Expect(k8s.Status().Update(ctx, quota)).To(Succeed())
	Eventually(func() error {
		pod := fixture.Pod()
		pod.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: "trial"}
		return k8s.Create(ctx, pod, client.DryRunAll)
	}).Should(MatchError(ContainSubstring("exceeded quota")))
}

// forbidBusybox forbids it to debuggers, where a namespace says so.
func forbidBusybox(ctx context.Context) {
	GinkgoHelper()
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "no-busybox"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Update},
					Rule: admissionv1.Rule{
						APIGroups:   []string{""},
						APIVersions: []string{"v1"},
						Resources:   []string{"pods/ephemeralcontainers"},
					},
				},
			}}},
			Validations: []admissionv1.Validation{{
				Expression: "!has(object.spec.ephemeralContainers) || object.spec.ephemeralContainers.all(c, " +
					"!c.image.startsWith('busybox'))",
				Message: "bring your own busybox",
			}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "no-busybox"},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: "no-busybox", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"no-busybox": "true"}},
			},
		},
	}
	for _, object := range []client.Object{policy, binding} {
		Expect(k8s.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, object)).To(Succeed()) })
	}
}
