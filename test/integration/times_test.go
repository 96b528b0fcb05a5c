package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// twiceOfShop waits for two crashes in the shop, and runs a command at each.
func twiceOfShop(s *v1alpha1.DebugSession) {
	ofShop(s)
	fixture.Times(2)(s)
	s.Spec.Debugger.Command, s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = []string{"date"}, false, false
}

// triggered waits until the session has so many members, and returns the last, whose debugger is in the pod.
func triggered(ctx context.Context, session *v1alpha1.DebugSession, count int, pod *corev1.Pod) *v1alpha1.DebugSession {
	GinkgoHelper()
	member := membersOf(ctx, session, count)[count-1]
	injected(ctx, member, pod)
	Expect(member.Spec.Target.PodName).To(Equal(pod.Name))
	return member
}

// ran has the member's debugger run and end.
func ran(ctx context.Context, node *kubelet, member *v1alpha1.DebugSession, pod *corev1.Pod) {
	GinkgoHelper()
	Expect(node.set(ctx, pod, member.Status.Debugger.ContainerName, running())).To(Succeed())
	Expect(node.set(ctx, pod, member.Status.Debugger.ContainerName, exited(0, "Completed", ""))).To(Succeed())
	endsAs(ctx, member, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited)
}

// waitsFor waits until no debugger of the session runs, and it says that it waits for that.
func waitsFor(ctx context.Context, session *v1alpha1.DebugSession, says string) {
	GinkgoHelper()
	armed(ctx, session, says)
	Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive))
	Expect(session.Status.MemberCounts.Ended).To(Equal(session.Status.MemberCounts.Total))
}

var _ = Describe("a session that waits for more than one crash", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	It("has a member in each pod that does, one after another, at no cost in between, and is Completed after the last", func(ctx SpecContext) {
		pods := shop(ctx, namespace)
		session := create(ctx, namespace, "nights", twiceOfShop)
		armed(ctx, session, "waiting for trigger 1 of 2, until a pod with app=shop crashes; pods watched: 3")
		crash(ctx, pods[1])
		first := triggered(ctx, session, 1, pods[1])
		Expect(session.Status.Target.Name).To(Equal("app=shop (1 of 2)"))
		Expect(first.Status.Target.Choice).To(And(HavePrefix(`shop-1 crashed: container "app" ended (OOMKilled`), Equal(session.Status.Members[0].Trigger)))
		Expect(first.Status.ExpiresAt.Sub(first.Status.StartedAt.Time)).To(Equal(session.Status.Armed.TTL.Duration))
		Expect(metav1.IsControlledBy(first, session)).To(BeTrue())
		ran(ctx, node, first, pods[1])
		waitsFor(ctx, session, "waiting for trigger 2 of 2")

		var so int
		Eventually(func(g Gomega) { // its events were sent
			before := len(requestsFor(namespace))
			look(ctx, session, 1)
			g.Expect(requestsFor(namespace)).To(HaveLen(before))
			so = before
		}).Should(Succeed())
		look(ctx, session, 100)
		Expect(requestsFor(namespace)).To(HaveLen(so))

		crash(ctx, pods[0])
		ran(ctx, node, triggered(ctx, session, 2, pods[0]), pods[0])
		endsAs(ctx, session, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited)
		crash(ctx, pods[2])
		isAsItWas(ctx, pods[2])
		Expect(*session.Status.MemberCounts).To(Equal(v1alpha1.MemberCounts{Total: 2, Ended: 2}))
	})

	It("is triggered by the same pod again when its member has ended, and not before", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "shop-0", inShop)
		session := create(ctx, namespace, "nights", twiceOfShop)
		armed(ctx, session, "pods watched: 1")
		crash(ctx, pod)
		first := triggered(ctx, session, 1, pod)
		Expect(node.set(ctx, pod, first.Status.Debugger.ContainerName, running())).To(Succeed())
		Expect(node.set(ctx, pod, first.Status.Debugger.ContainerName, exited(0, "Completed", ""))).To(Succeed())
		waitsFor(ctx, session, "waiting for trigger 2 of 2")
		look(ctx, session, 20)
		Expect(session.Status.Members).To(HaveLen(1))
		crashAt(ctx, pod, time.Now().Add(5*time.Second))
		second := triggered(ctx, session, 2, pod)
		Expect(second.Name).NotTo(Equal(first.Name))
		ran(ctx, node, second, pod)
		endsAs(ctx, session, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited)
	})

	DescribeTable("starts nothing more, and ends what runs", func(ctx SpecContext, end func(context.Context, *v1alpha1.DebugSession), outcome v1alpha1.Outcome) {
		pods := shop(ctx, namespace)
		session := create(ctx, namespace, "nights", twiceOfShop)
		armed(ctx, session, "pods watched: 3")
		crash(ctx, pods[0])
		member := triggered(ctx, session, 1, pods[0])
		Expect(node.set(ctx, pods[0], member.Status.Debugger.ContainerName, running())).To(Succeed())
		end(ctx, session)
		endsAs(ctx, member, outcome, string(outcome))
		endsOrGoes(ctx, session, outcome)
		crash(ctx, pods[1])
		isAsItWas(ctx, pods[1])
	},
		Entry("when it is asked to", func(ctx context.Context, s *v1alpha1.DebugSession) { edit(ctx, s, fixture.End) }, v1alpha1.OutcomeTerminated),
		Entry("when it is deleted", func(ctx context.Context, s *v1alpha1.DebugSession) { Expect(k8s.Delete(ctx, s)).To(Succeed()) }, v1alpha1.OutcomeTerminated),
	)

	It("starts nothing more when its approval is taken back between two crashes", func(ctx SpecContext) {
		pods := shop(ctx, namespace)
		newClass(ctx, "approved-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1, SelfApproval: true}
			c.Spec.Limits = &v1alpha1.ClassLimits{MaxMembers: 2}
		})
		session := create(ctx, namespace, "nights", twiceOfShop, func(s *v1alpha1.DebugSession) { s.Spec.ClassName = "approved-" + namespace })
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseAwaitingApproval), said(session))
		}).Should(Succeed())
		approval := newApproval(namespace, "yes", session.Name)
		Expect(k8s.Create(ctx, approval)).To(Succeed())
		armed(ctx, session, "waiting for trigger 1 of 2")
		crash(ctx, pods[0])
		ran(ctx, node, triggered(ctx, session, 1, pods[0]), pods[0])
		waitsFor(ctx, session, "waiting for trigger 2 of 2")
		Expect(k8s.Delete(ctx, approval)).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeRevoked, string(v1alpha1.OutcomeRevoked))
		crash(ctx, pods[1])
		isAsItWas(ctx, pods[1])
	})

	It("is over at notAfter, and says how often it was triggered", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "shop-0", inShop)
		session := create(ctx, namespace, "short", twiceOfShop, func(s *v1alpha1.DebugSession) {
			s.Spec.NotAfter = &metav1.Time{Time: time.Now().Add(15 * time.Second)}
		})
		armed(ctx, session, "pods watched: 1")
		crash(ctx, pod)
		ran(ctx, node, triggered(ctx, session, 1, pod), pod)
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		Expect(said(session)).To(ContainSubstring("it was triggered 1 of 2 times"))
	})

	It("is refused where the class does not speak of it", func(ctx SpecContext) {
		newClass(ctx, "one-"+namespace, func(c *v1alpha1.DebugClass) { c.Spec.Limits = nil })
		refused := asked(namespace, "nights", twiceOfShop, func(s *v1alpha1.DebugSession) { s.Spec.ClassName = "one-" + namespace })
		Eventually(func() error { return k8s.Create(ctx, refused) }).Should(MatchError(ContainSubstring("spec.target.when.times: debugging more than the first pod is not allowed")))
	})

	DescribeTable("is refused by the API server", func(ctx SpecContext, change fixture.SessionOption, says string) {
		Expect(k8s.Create(ctx, asked(namespace, "wrong", twiceOfShop, change))).To(MatchError(ContainSubstring(says)))
	},
		Entry("once", fixture.Times(1), "greater than or equal to 2"),
		Entry("too often", fixture.Times(21), "less than or equal to 20"),
		Entry("of all", fixture.All(3), "remove them, or all"),
		Entry("unstoppable", func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Unstoppable = true }, "the debuggers of target.all and when.times end together"),
		Entry("with one name for all copies", fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Name = "mine" }), "each copy has a name of its own"),
	)
})

var _ = Describe("the members of a session that waits for more than one crash", func() {
	It("are made when the operator is back, once for each pod that crashed", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		pods := shop(ctx, namespace)
		session := create(ctx, namespace, "nights", twiceOfShop, fixture.Times(3))
		armed(ctx, session, "pods watched: 3")
		stop()
		crash(ctx, pods[0])
		crash(ctx, pods[2])
		stop = startOperator(node)
		members := membersOf(ctx, session, 2)
		for _, member := range members {
			pod := map[string]*corev1.Pod{"shop-0": pods[0], "shop-2": pods[2]}[member.Spec.Target.PodName]
			injected(ctx, member, pod)
			ran(ctx, node, member, pod)
		}
		waitsFor(ctx, session, "waiting for trigger 3 of 3")
		stop()
		startOperator(node)
		look(ctx, session, 20)
		refreshed(ctx, Default, session)
		Expect(session.Status.Members).To(HaveLen(2))
	})

	It("are made by nobody but the operator, and by an administrator to no avail", func(ctx SpecContext) {
		startOperator(&kubelet{})
		namespace, class := cast(ctx)
		newClass(ctx, class, func(c *v1alpha1.DebugClass) { c.Spec.Limits = &v1alpha1.ClassLimits{MaxMembers: 3} })
		bind(ctx, namespace, "alice", "everything", rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
		pods := shop(ctx, namespace)
		alice := newPerson("alice")
		session := asked(namespace, "nights", twiceOfShop, func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class })
		Eventually(func() error { return alice.Create(ctx, session) }).Should(Succeed())
		armed(ctx, session, "pods watched: 3")
		crash(ctx, pods[0])
		member := triggered(ctx, session, 1, pods[0])
		Expect(member.Spec.Requester.Username).To(Equal("alice"))

		forged := plan.Member(session, &session.Status.Members[0])
		forged.Name = "forged"
		Expect(alice.Create(ctx, forged.DeepCopy())).To(MatchError(ContainSubstring("may not make members of a session")))
		Expect(k8s.Create(ctx, forged)).To(Succeed())
		endsAs(ctx, forged, v1alpha1.OutcomeRejected, v1alpha1.ReasonNotTrusted)
		Expect(alice.Patch(ctx, member, mergePatch(`{"spec":{"memberOf":{"number":2}}}`))).To(MatchError(ContainSubstring("memberOf cannot be changed")))
	})
})
