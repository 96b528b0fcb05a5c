package integration

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fakekubelet"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("a copy", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	It("belongs to its session, and to no workload and no Service", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web", func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "1", Controller: new(true)},
			}
		})
		session := active(ctx, node, namespace, "hang", pod, fixture.AsCopy())
		made := copied(ctx, session)
		Expect(made.Labels).To(Equal(map[string]string{v1alpha1.LabelSessionUID: string(session.UID)}))
		Expect(metav1.IsControlledBy(made, session)).To(BeTrue())
		Expect(made.OwnerReferences).To(HaveLen(1))
		Expect(made.Spec.ShareProcessNamespace).To(HaveValue(BeTrue()))
		Expect(made.Spec.ActiveDeadlineSeconds).NotTo(BeNil())
		Expect(made.Spec.TerminationGracePeriodSeconds).To(HaveValue(BeNumerically("==", 1)))
		Expect(session.Status.Debugger.PodUID).To(Equal(made.UID))
	})

	It("has no token for its debugger and no priority unless its class allows them", func(ctx SpecContext) {
		priority := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Value: 7}
		Expect(k8s.Create(ctx, priority)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, priority)).To(Succeed()) })
		pod := runningPod(ctx, namespace, "web", func(p *corev1.Pod) { p.Spec.PriorityClassName = priority.Name })
		for _, allowed := range []bool{true, false} {
			class := newClass(ctx, fmt.Sprint(namespace, "-", allowed), func(c *v1alpha1.DebugClass) {
				c.Spec.AllowVolumes, c.Spec.AllowPriority = allowed, allowed
			})
			made := copied(ctx, active(ctx, node, namespace, fmt.Sprint("copy-", allowed), pod, fixture.AsCopy(),
				func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class.Name }))
			Expect(made.Spec.AutomountServiceAccountToken).To(Or(BeNil(), HaveValue(Equal(allowed))))
			Expect(made.Spec.AutomountServiceAccountToken == nil).To(Equal(allowed))
			Expect(made.Spec.Priority).To(HaveValue(BeEquivalentTo(map[bool]int32{true: 7, false: 0}[allowed])))
		}
	})

	It("is pulled with the session's Secrets beside its target's, which a condition names if that fails", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web", func(p *corev1.Pod) {
			p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "shop"}}
		})
		session := create(ctx, namespace, "hang", fixture.Of(pod.Name), fixture.AsCopy(), func(s *v1alpha1.DebugSession) {
			s.Spec.ImagePullSecrets = []v1alpha1.ImagePullSecret{{Name: "tools"}}
		})
		reaches(ctx, session, v1alpha1.PhaseStarting)
		made := copied(ctx, session)
		Expect(made.Spec.ImagePullSecrets).To(HaveExactElements(HaveField("Name", "shop"), HaveField("Name", "tools")))
		refused := fakekubelet.Waiting("ErrImagePull", "401 Unauthorized")
		Expect(node.set(ctx, made, session.Status.Debugger.ContainerName, refused)).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Conditions).To(ContainElement(And(HaveField("Type", v1alpha1.ConditionDebuggerReady),
				HaveField("Message", ContainSubstring(`each Secret of spec.imagePullSecrets ("tools") exists in the namespace`)))))
		}).Should(Succeed())
	})

	DescribeTable("is not made when its name is another pod's, which is left as it is", func(ctx SpecContext, disguise func(*corev1.Pod)) {
		foreign := runningPod(ctx, namespace, "mine", disguise)
		runningPod(ctx, namespace, "web")
		session := create(ctx, namespace, "hang", fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Name = "mine" }))
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonNameTaken)
		Expect(said(session)).To(ContainSubstring(`pod "mine" already exists and is not this session's; it was left untouched`))
		isAsItWas(ctx, foreign)

		Expect(k8s.Delete(ctx, session)).To(Succeed())
		isGone(ctx, session)
		isAsItWas(ctx, foreign)
	},
		Entry("a pod of a user's", func(*corev1.Pod) {}),
		Entry("a pod that says it is the operator's", func(p *corev1.Pod) {
			p.Labels = map[string]string{v1alpha1.LabelSessionUID: "5e551040-0000-4000-8000-000000000009"}
			p.OwnerReferences = []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession", Name: "hang", UID: "5e551040-0000-4000-8000-000000000009",
				Controller: new(true),
			}}
		}),
	)

	It("ends its session when somebody deletes it", func(ctx SpecContext) {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		vanish(ctx, copied(ctx, session))
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone)
	})

	It("is deleted although its session was deleted with --cascade=orphan", func(ctx SpecContext) {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		made := copied(ctx, session)
		Expect(k8s.Delete(ctx, session, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
		// What the garbage collector does then, of which there is none here, in the worst order.
		base := made.DeepCopy()
		made.OwnerReferences = nil
		Expect(client.IgnoreNotFound(k8s.Patch(ctx, made, client.MergeFrom(base)))).To(Succeed(), "unless it is gone by then")
		isGone(ctx, made)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Finalizers).To(ConsistOf(metav1.FinalizerOrphanDependents))
		}).Should(Succeed())
		edit(ctx, session, func(s *v1alpha1.DebugSession) { s.Finalizers = nil })
	})

	It("is not called gone while somebody holds it", func(ctx SpecContext) {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		made := copied(ctx, session)
		base := made.DeepCopy()
		made.Finalizers = []string{"example.com/hold"}
		Expect(k8s.Patch(ctx, made, client.MergeFrom(base))).To(Succeed())
		edit(ctx, session, fixture.End)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Conditions).To(ContainElement(And(
				HaveField("Type", v1alpha1.ConditionDebuggerReady), HaveField("Reason", v1alpha1.ReasonStillRunning))))
			g.Expect(session.Status.Conditions).To(ContainElement(And(
				HaveField("Type", v1alpha1.ConditionReady),
				HaveField("Message", ContainSubstring("held by finalizers set by others: example.com/hold")))))
		}).Should(Succeed())
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseEnding))

		refreshed(ctx, Default, made)
		base = made.DeepCopy()
		made.Finalizers = nil
		Expect(k8s.Patch(ctx, made, client.MergeFrom(base))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	})

	It("says that it expired when the kubelet ended it at its deadline", func(ctx SpecContext) {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		made := copied(ctx, session)
		setStatus(ctx, made,
			fixture.Finished(corev1.PodFailed, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"))
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		isGone(ctx, made)
	})
})

// isAsItWas: nobody has written it, nor put another in its place.
func isAsItWas(ctx context.Context, pod *corev1.Pod) {
	GinkgoHelper()
	now := pod.DeepCopy()
	refreshed(ctx, Default, now)
	Expect(now.UID).To(Equal(pod.UID))
	Expect(now.ResourceVersion).To(Equal(pod.ResourceVersion))
}
