package integration

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("an operator that starts where classes and approvals cannot be read", func() {
	var namespace, approved string
	var node *kubelet
	var stop func()

	BeforeEach(func(ctx SpecContext) {
		node = &kubelet{}
		stop = startOperator(node)
		createAnything(ctx)
		namespace = newNamespace(ctx, nil)
		approved = newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1, SelfApproval: true}
		}).Name
	})

	ofClass := func(class string) fixture.SessionOption {
		return func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class }
	}
	// starts starts a session that an approval was given for.
	starts := func(ctx context.Context, ttl time.Duration) *v1alpha1.DebugSession {
		GinkgoHelper()
		pod, started := runningPod(ctx, namespace, "web"), running()
		session := create(ctx, namespace, "running", fixture.Of("web"), fixture.TTL(ttl), ofClass(approved))
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(k8s.Create(ctx, newApproval(namespace, "yes", session.Name))).To(Succeed())
		injected(ctx, session, pod)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, started)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)
		return session
	}
	// goes waits until a session has ended and nothing is left of it.
	goes := func(ctx context.Context, session *v1alpha1.DebugSession, outcome v1alpha1.Outcome) {
		GinkgoHelper()
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: session.Status.Access.Name}}
		binding := &rbacv1.RoleBinding{ObjectMeta: role.ObjectMeta}
		endsAs(ctx, session, outcome, string(outcome))
		isGone(ctx, role)
		isGone(ctx, binding)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: session.Status.Debugger.PodName}}
		if session.Spec.Mode == v1alpha1.ModePodCopy {
			isGone(ctx, pod)
			return
		}
		refreshed(ctx, Default, pod)
		Expect(runs(pod, session.Status.Debugger.ContainerName)).To(BeFalse())
	}
	expires := func(ctx context.Context, session *v1alpha1.DebugSession) {
		GinkgoHelper()
		goes(ctx, session, v1alpha1.OutcomeExpired)
		onTime(session)
	}
	waitsFor := func(ctx context.Context, session *v1alpha1.DebugSession, why string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonUnreadable), said(session))
			g.Expect(said(session)).To(ContainSubstring(why))
		}).Should(Succeed())
	}
	relaunch := func() {
		GinkgoHelper()
		launchOperator(node, environment.WebhookInstallOptions.LocalServingPort)
	}

	It("for want of rights, ends sessions, and begins those that wait when it has the rights again", func(ctx SpecContext) {
		copySession := active(ctx, node, namespace,
			"copy", runningPod(ctx, namespace, "shop"), fixture.AsCopy(), fixture.TTL(25*time.Second))
		unwanted := active(ctx, node, namespace, "unwanted", runningPod(ctx, namespace, "api"))
		ephemeral := starts(ctx, 25*time.Second)
		waiting := create(ctx, namespace, "waiting", fixture.Of("late"))
		reaches(ctx, waiting, v1alpha1.PhasePending)

		stop()
		seeApprovals := blind(ctx, v1alpha1.GroupVersion.Group, "debugapprovals")
		seeClasses := blind(ctx, v1alpha1.GroupVersion.Group, "debugclasses")
		relaunch()
		late := runningPod(ctx, namespace, "late")
		waitsFor(ctx, waiting, "debugclasses.debugsession.dev is forbidden")
		Eventually(probed(ctx, "/readyz")).Should(Equal(trusted))
		Expect(k8s.Create(ctx, asked(namespace, "new"))).To(MatchError(And(
			ContainSubstring(`cannot read DebugClass "anything"`), ContainSubstring("debugclasses.debugsession.dev is forbidden"))))
		edit(ctx, unwanted, fixture.End)
		goes(ctx, unwanted, v1alpha1.OutcomeTerminated)
		expires(ctx, copySession)
		expires(ctx, ephemeral)
		refreshed(ctx, Default, waiting)
		Expect(waiting.Status.StartedAt).To(BeNil())

		seeClasses(ctx)
		seeApprovals(ctx)
		injected(ctx, waiting, late)
		asks := &v1alpha1.DebugSession{}
		Eventually(func() error {
			asks = asked(namespace, "asks", fixture.Of("late"), ofClass(approved))
			return k8s.Create(ctx, asks)
		}).Should(Succeed())
		reaches(ctx, asks, v1alpha1.PhaseAwaitingApproval)
		counts(ctx, namespace, asks.Name)
		injected(ctx, asks, late)
	})

	It("because approvals are not installed, ends sessions, and begins those that wait when they are", func(ctx SpecContext) {
		ephemeral := starts(ctx, 25*time.Second)
		waiting := create(ctx, namespace, "waiting", fixture.Of("late"), ofClass(approved))
		reaches(ctx, waiting, v1alpha1.PhasePending)

		stop()
		uninstallApprovals(ctx)
		relaunch()
		late := runningPod(ctx, namespace, "late")
		waitsFor(ctx, waiting, `cannot read the approvals: no matches for kind "DebugApproval"`)
		expires(ctx, ephemeral)
		refreshed(ctx, Default, waiting)
		Expect(waiting.Status.StartedAt).To(BeNil())

		installApprovals(ctx)
		counts(ctx, namespace, waiting.Name)
		injected(ctx, waiting, late)
	})
})

// counts approves a session, and waits until the operator says that it counts.
func counts(ctx context.Context, namespace, session string) {
	GinkgoHelper()
	approval := newApproval(namespace, "for-"+session, session)
	Eventually(func() error { return k8s.Create(ctx, approval.DeepCopy()) }).Should(Succeed()) // it may have been installed just now
	Eventually(func(g Gomega) {
		refreshed(ctx, g, approval)
		g.Expect(meta.IsStatusConditionTrue(approval.Status.Conditions, v1alpha1.ConditionCounted)).To(BeTrue())
	}).Should(Succeed())
}

// uninstallApprovals removes the kind, and everything of it. The test's end puts it back.
func uninstallApprovals(ctx context.Context) {
	GinkgoHelper()
	definition := &unstructured.Unstructured{}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	definition.SetName("debugapprovals." + v1alpha1.GroupVersion.Group)
	Expect(k8s.Delete(ctx, definition)).To(Succeed())
	DeferCleanup(installApprovals)
	isGone(ctx, definition)
	Eventually(func() error { return k8s.List(ctx, &v1alpha1.DebugApprovalList{}) }).
		Should(MatchError(ContainSubstring("could not find the requested resource")))
}

func installApprovals(ctx context.Context) {
	GinkgoHelper()
	createAll(ctx, filepath.Join("..", "..", "config", "crd", "bases", v1alpha1.GroupVersion.Group+"_debugapprovals.yaml"))
}
