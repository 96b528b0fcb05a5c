package integration

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// blind takes the operator's rights on a resource away, and returns what gives them back.
func blind(ctx context.Context, group, resource string) (see func(context.Context)) {
	GinkgoHelper()
	rules := map[string][]rbacv1.PolicyRule{}
	for _, name := range []string{"debugsession-operator", "debugsession-class-viewer"} { // the other is everybody's
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
		rules[name] = role.DeepCopy().Rules
		for i := range role.Rules {
			role.Rules[i].Resources = slices.DeleteFunc(role.Rules[i].Resources, func(r string) bool { return r == resource })
		}
		role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return len(r.Resources) == 0 })
		Expect(k8s.Update(ctx, role)).To(Succeed())
	}
	seen := false
	see = func(ctx context.Context) {
		GinkgoHelper()
		if seen {
			return
		}
		seen = true
		for name, before := range rules {
			role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
			role.Rules = before
			Expect(k8s.Update(ctx, role)).To(Succeed())
		}
	}
	DeferCleanup(func(ctx SpecContext) { see(ctx) })
	Eventually(func() bool {
		return allowed(ctx, operatorName, "", group, resource, "list", "") || allowed(ctx, operatorName, "", group, resource, "create", "")
	}).Should(BeFalse())
	return see
}

var _ = Describe("what cannot be read", Ordered, ContinueOnFailure, func() {
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})

	It("being whether the requester may, starts nothing and keeps nothing open", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		running := active(ctx, node, namespace, "running", runningPod(ctx, namespace, "web"), fixture.TTL(20*time.Second))
		waiting := create(ctx, namespace, "waiting", fixture.Of("late"))
		reaches(ctx, waiting, v1alpha1.PhasePending)
		Eventually(func() time.Duration { return time.Since(waiting.CreationTimestamp.Time) }).
			Should(BeNumerically(">", 11*time.Second), "so long what admission was told is relied on")

		see := blind(ctx, "authorization.k8s.io", "subjectaccessreviews")
		late := runningPod(ctx, namespace, "late")
		Eventually(func(g Gomega) {
			refreshed(ctx, g, waiting)
			g.Expect(waiting.Status.Reason).To(Equal(v1alpha1.ReasonUnreadable), said(waiting))
			g.Expect(said(waiting)).To(ContainSubstring("cannot read the requester's permission to use the class"))
		}).Should(Succeed())
		endsAs(ctx, running, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		onTime(running)
		refreshed(ctx, Default, late)
		Expect(late.Spec.EphemeralContainers).To(BeEmpty())
		refreshed(ctx, Default, waiting)
		Expect(waiting.Status.StartedAt).To(BeNil())

		see(ctx)
		injected(ctx, waiting, late)
	})

	It("being approvals and classes, starts nothing and keeps nothing open", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1, SelfApproval: true}
		})
		pod := runningPod(ctx, namespace, "web")
		ofClass := func(name string, ttl time.Duration) *v1alpha1.DebugSession {
			session := asked(namespace, name, fixture.TTL(ttl))
			session.Spec.ClassName = class.Name
			Expect(k8s.Create(ctx, session)).To(Succeed())
			return session
		}
		started := running()
		running, waiting := ofClass("running", 15*time.Second), ofClass("waiting", time.Hour)
		for _, session := range []*v1alpha1.DebugSession{running, waiting} {
			reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		}
		Expect(k8s.Create(ctx, newApproval(namespace, "yes", "running"))).To(Succeed())
		injected(ctx, running, pod)
		Expect(node.set(ctx, pod, running.Status.Debugger.ContainerName, started)).To(Succeed())
		reaches(ctx, running, v1alpha1.PhaseActive)

		seeApprovals := blind(ctx, v1alpha1.GroupVersion.Group, "debugapprovals")
		seeClasses := blind(ctx, v1alpha1.GroupVersion.Group, "debugclasses")
		// The operator's watch goes on and brings the approval: it is not enough.
		Expect(k8s.Create(ctx, newApproval(namespace, "also", "waiting"))).To(Succeed())
		Consistently(func(g Gomega) {
			refreshed(ctx, g, waiting)
			g.Expect(waiting.Status.StartedAt).To(BeNil())
		}).WithTimeout(time.Second).Should(Succeed())
		endsAs(ctx, running, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		seeClasses(ctx)
		seeApprovals(ctx)
		reaches(ctx, waiting, v1alpha1.PhaseStarting)
	})
})
