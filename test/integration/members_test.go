package integration

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/admissionpolicy"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// eachOfShop debugs each pod of the shop with a command.
func eachOfShop(s *v1alpha1.DebugSession) {
	fixture.OfSelector(shopLabels)(s)
	fixture.All(3)(s)
	s.Spec.Debugger.Command, s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = []string{"date"}, false, false
}

// shop is three pods.
func shop(ctx context.Context, namespace string) []*corev1.Pod {
	GinkgoHelper()
	var pods []*corev1.Pod
	for i := range 3 {
		pods = append(pods, runningPod(ctx, namespace, fmt.Sprint("shop-", i), inShop))
	}
	return pods
}

// membersOf are the members that the session has recorded, when all of them are there.
func membersOf(ctx context.Context, session *v1alpha1.DebugSession, count int) []*v1alpha1.DebugSession {
	GinkgoHelper()
	var members []*v1alpha1.DebugSession
	Eventually(func(g Gomega) {
		members = nil
		refreshed(ctx, g, session)
		g.Expect(session.Status.Members).To(HaveLen(count), said(session))
		for _, row := range session.Status.Members {
			g.Expect(row.UID).NotTo(BeEmpty())
			member := &v1alpha1.DebugSession{}
			g.Expect(k8s.Get(ctx, types.NamespacedName{Namespace: session.Namespace, Name: row.Name}, member)).To(Succeed())
			g.Expect(member.UID).To(Equal(row.UID))
			members = append(members, member)
		}
	}).Should(Succeed())
	return members
}

// run has the members' debuggers run, and waits until the session says so.
func run(ctx context.Context, node *kubelet, session *v1alpha1.DebugSession, pods []*corev1.Pod) []*v1alpha1.DebugSession {
	GinkgoHelper()
	members := membersOf(ctx, session, len(pods))
	for i, member := range members {
		injected(ctx, member, pods[i])
		Expect(node.set(ctx, pods[i], member.Status.Debugger.ContainerName, running())).To(Succeed())
	}
	Eventually(func(g Gomega) {
		refreshed(ctx, g, session)
		g.Expect(session.Status.MemberCounts).To(HaveValue(HaveField("Active", BeEquivalentTo(len(pods)))), said(session))
	}).Should(Succeed())
	Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive))
	return members
}

var _ = Describe("a session of many pods", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	It("debugs each at the same time, has a row for each, and is Completed when all are", func(ctx SpecContext) {
		pods := shop(ctx, namespace)
		session := create(ctx, namespace, "all", eachOfShop)
		members := run(ctx, node, session, pods)
		Expect(session.Status.Target.Name).To(Equal("app=shop (3)"))
		for _, member := range members {
			Expect(member.Spec.Requester).To(Equal(session.Spec.Requester))
			Expect(member.Status.ExpiresAt).To(HaveValue(Equal(*session.Status.ExpiresAt)))
			Expect(member.Labels).To(BeEmpty())
			Expect(metav1.IsControlledBy(member, session)).To(BeTrue())
		}
		for i, member := range members {
			Expect(node.set(ctx, pods[i], member.Status.Debugger.ContainerName, exited(0, "Completed", ""))).To(Succeed())
		}
		endsAs(ctx, session, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited)
		Expect(*session.Status.MemberCounts).To(Equal(v1alpha1.MemberCounts{Total: 3, Ended: 3}))
		for i, row := range session.Status.Members {
			Expect(row).To(And(HaveField("PodName", pods[i].Name), HaveField("Outcome", v1alpha1.OutcomeCompleted), HaveField("ExitCode", HaveValue(BeZero()))))
		}

		By("costing nothing any more")
		so := len(requestsFor(namespace))
		look(ctx, session, 20)
		Expect(len(requestsFor(namespace)) - so).To(BeZero())
	})

	DescribeTable("ends all of them", func(ctx SpecContext, end func(context.Context, *v1alpha1.DebugSession), outcome v1alpha1.Outcome) {
		pods := shop(ctx, namespace)
		session := create(ctx, namespace, "all", eachOfShop)
		members := run(ctx, node, session, pods)
		end(ctx, session)
		Eventually(func(g Gomega) {
			for _, member := range members {
				refreshed(ctx, g, member)
				g.Expect(member.Status.Outcome).To(Equal(outcome), said(member))
				g.Expect(member.Finalizers).To(BeEmpty())
			}
		}).Should(Succeed())
		endsOrGoes(ctx, session, outcome)
	},
		Entry("when it is asked to", func(ctx context.Context, s *v1alpha1.DebugSession) { edit(ctx, s, fixture.End) }, v1alpha1.OutcomeTerminated),
		Entry("when it is deleted", func(ctx context.Context, s *v1alpha1.DebugSession) { Expect(k8s.Delete(ctx, s)).To(Succeed()) }, v1alpha1.OutcomeTerminated),
		Entry("when its time is up", func(ctx context.Context, s *v1alpha1.DebugSession) { edit(ctx, s, fixture.TTL(10*time.Second)) }, v1alpha1.OutcomeExpired),
	)

	It("is refused where the class does not speak of it, and rejected if there are more pods than it says", func(ctx SpecContext) {
		shop(ctx, namespace)
		newClass(ctx, "one-"+namespace, func(c *v1alpha1.DebugClass) { c.Spec.Limits = nil })
		refused := asked(namespace, "all", eachOfShop, func(s *v1alpha1.DebugSession) { s.Spec.ClassName = "one-" + namespace })
		Eventually(func() error { return k8s.Create(ctx, refused) }).Should(MatchError(ContainSubstring("set the class's limits.maxMembers")))

		session := create(ctx, namespace, "two", eachOfShop, fixture.All(2))
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonTooManyPods)
		Expect(session.Status.Members).To(BeEmpty())
	})

	DescribeTable("is refused by the API server", func(ctx SpecContext, change fixture.SessionOption, says string) {
		session := asked(namespace, "wrong", eachOfShop, change)
		Expect(k8s.Create(ctx, session)).To(MatchError(ContainSubstring(says)))
	},
		Entry("of one pod", func(s *v1alpha1.DebugSession) {
			s.Spec.Target = v1alpha1.Target{PodName: "shop-0", All: s.Spec.Target.All}
		}, "all is about the pods of a workload or selector"),
		Entry("with pick", fixture.Pick(v1alpha1.PickOldest), "remove them, or all"),
		Entry("with when", fixture.Crashed, "remove them, or all"),
		Entry("of too many", fixture.All(51), "less than or equal to 50"),
		Entry("unstoppable", func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Unstoppable = true }, "the debuggers of target.all and when.times end together"),
		Entry("with one name for all copies", fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Name = "mine" }), "each copy has a name of its own"),
	)
})

var _ = Describe("members of a session", func() {
	It("are made by nobody but the operator, and by an administrator to no avail", func(ctx SpecContext) {
		startOperator(&kubelet{})
		namespace, class := cast(ctx)
		newClass(ctx, class, func(c *v1alpha1.DebugClass) { c.Spec.Limits = &v1alpha1.ClassLimits{MaxMembers: 3} })
		bind(ctx, namespace, "alice", "everything", rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
		pods := shop(ctx, namespace)
		alice := newPerson("alice")
		session := asked(namespace, "all", eachOfShop, func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class })
		Eventually(func() error { return alice.Create(ctx, session) }).Should(Succeed())
		members := membersOf(ctx, session, len(pods))

		By("whoever has all rights in the namespace")
		forged := plan.Member(session, &session.Status.Members[0])
		forged.Name = "forged"
		Expect(alice.Create(ctx, forged.DeepCopy())).To(MatchError(ContainSubstring("may not make members of a session")))

		By("who may write every status")
		Expect(k8s.Create(ctx, forged)).To(Succeed())
		endsAs(ctx, forged, v1alpha1.OutcomeRejected, v1alpha1.ReasonNotTrusted)

		By("an edit of a true one")
		Expect(alice.Patch(ctx, members[0], mergePatch(`{"spec":{"memberOf":null}}`))).To(MatchError(ContainSubstring("memberOf cannot be changed")))
		Expect(alice.Patch(ctx, members[0], mergePatch(`{"spec":{"ttl":"10h"}}`))).To(MatchError(ContainSubstring("change ttl or emergency of that session")))
	})

	It("are not let past the policy where the webhooks are not called", func(ctx SpecContext) {
		startOperator(&kubelet{})
		namespace, _ := cast(ctx)
		bind(ctx, namespace, "alice", "everything", rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
		restoreWebhooks(ctx)
		for _, configuration := range configurations(ctx) {
			Expect(k8s.Delete(ctx, configuration)).To(Succeed())
		}
		forged := asked(namespace, "forged", fixture.Of("web"), func(s *v1alpha1.DebugSession) {
			s.Spec.MemberOf = &v1alpha1.MemberOf{Name: "all", UID: "1"}
			s.Spec.Requester = &v1alpha1.Identity{Username: "bob"}
		})
		Expect(newPerson("alice").Create(ctx, forged)).To(MatchError(And(ContainSubstring(admissionpolicy.Name), ContainSubstring("the operator alone makes members"))))
	})

	It("end when their session is gone, and start nothing for another of its name", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		pods := shop(ctx, namespace)
		session := create(ctx, namespace, "all", eachOfShop)
		members := run(ctx, node, session, pods)
		stop()
		restoreWebhooks(ctx)
		webhooks := configurations(ctx)
		for _, configuration := range webhooks {
			Expect(k8s.Delete(ctx, configuration.DeepCopyObject().(client.Object))).To(Succeed())
		}
		Expect(k8s.Patch(ctx, session, mergePatch(`{"metadata":{"finalizers":null}}`))).To(Succeed())
		Expect(k8s.Delete(ctx, session)).To(Succeed())
		isGone(ctx, session)
		for _, configuration := range webhooks {
			restore(ctx, configuration)
		}
		startOperator(node)
		for _, member := range members {
			endsAs(ctx, member, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		}
	})
})
