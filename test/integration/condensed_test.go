package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

var _ = Describe("a session that has ended and rests", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	condensed := func(ctx context.Context, session *v1alpha1.DebugSession) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			cached := &v1alpha1.DebugSession{}
			g.Expect(leader.GetCache().Get(ctx, client.ObjectKeyFromObject(session), cached)).To(Succeed())
			g.Expect(cached.ResourceVersion).To(Equal(session.ResourceVersion))
			g.Expect(plan.Condensed(cached)).To(BeTrue())
		}).Should(Succeed())
	}
	// ended is a session whose debugger has exited.
	ended := func(ctx context.Context, options ...fixture.SessionOption) *v1alpha1.DebugSession {
		GinkgoHelper()
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, node, namespace, "rests", pod, options...)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, exited(0, "Completed", ""))).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseEnded)
		condensed(ctx, session)
		return session
	}
	// keeps expects that the session says what it said, but for the generation that was seen last.
	keeps := func(ctx context.Context, session *v1alpha1.DebugSession) {
		GinkgoHelper()
		was := session.Status.DeepCopy()
		condensed(ctx, session)
		was.ObservedGeneration = session.Generation
		Expect(session.Status).To(Equal(*was))
	}

	It("is whole for who gets it by the operator's client, and written from its copy by nobody", func(ctx SpecContext) {
		session := ended(ctx)
		got := &v1alpha1.DebugSession{}
		Expect(leader.GetClient().Get(ctx, client.ObjectKeyFromObject(session), got)).To(Succeed())
		Expect(got.Spec).To(Equal(session.Spec))
		Expect(got.Status).To(Equal(session.Status))

		cached := &v1alpha1.DebugSession{}
		Expect(leader.GetCache().Get(ctx, client.ObjectKeyFromObject(session), cached)).To(Succeed())
		Expect(leader.GetClient().Update(ctx, cached.DeepCopy())).To(MatchError(ContainSubstring("condensed copy")))
		Expect(leader.GetClient().Status().Update(ctx, cached.DeepCopy())).To(MatchError(ContainSubstring("condensed copy")))
		Expect(k8s.Update(ctx, cached.DeepCopy())).NotTo(Succeed(), "the API server takes a copy for the session")
		keeps(ctx, session)
	})

	It("says that it has seen an edit, and nothing else", func(ctx SpecContext) {
		session := ended(ctx)
		before := session.Generation
		edit(ctx, session, fixture.End)
		keeps(ctx, session)
		Expect(session.Generation).To(BeNumerically(">", before))
	})

	It("is let go of again when its finalizer was taken again", func(ctx SpecContext) {
		session := ended(ctx)
		edit(ctx, session, func(s *v1alpha1.DebugSession) { s.Finalizers = append(s.Finalizers, v1alpha1.Finalizer) })
		keeps(ctx, session)
		Expect(session.Finalizers).To(BeEmpty())
	})

	It("does not mind what becomes of its class, and costs nothing", func(ctx SpecContext) {
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) { c.Spec.Retention = &metav1.Duration{Duration: time.Hour} })
		session := ended(ctx, func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class.Name })
		so := len(requestsFor(namespace))
		Expect(k8s.Patch(ctx, class, mergePatch(`{"spec":{"retention":"2h"}}`))).To(Succeed())
		look(ctx, session, 20)
		keeps(ctx, session)
		Expect(requestsFor(namespace)).To(HaveLen(so))
	})

	It("goes when it is deleted", func(ctx SpecContext) {
		session := ended(ctx)
		Expect(k8s.Delete(ctx, session)).To(Succeed())
		isGone(ctx, session)
		Eventually(func() error {
			return leader.GetCache().Get(ctx, client.ObjectKeyFromObject(session), &v1alpha1.DebugSession{})
		}).Should(MatchError(ContainSubstring("not found")))
	})

	It("goes on as a whole when it was only made to look ended, and is made to look active again", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, node, namespace, "forged", pod)
		now := metav1.Now().UTC().Format(time.RFC3339)
		Expect(k8s.Status().Patch(ctx, session, mergePatch(`{"status":{"phase":"Ended","outcome":"Terminated","endedAt":"`+now+`"}}`))).To(Succeed())
		condensed(ctx, session)
		Expect(session.Status.Debugger).NotTo(BeNil())

		Expect(k8s.Status().Patch(ctx, session, mergePatch(`{"status":{"phase":"Active","outcome":null,"endedAt":null}}`))).To(Succeed())
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		Expect(k8s.Get(ctx, types.NamespacedName{Namespace: namespace, Name: pod.Name}, pod)).To(Succeed())
		Expect(runs(pod, session.Status.Debugger.ContainerName)).To(BeFalse())
	})
})
