package integration

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("a session that needs approval", Ordered, ContinueOnFailure, func() {
	var alice, bob, carol *person
	var namespace, class string
	node := &kubelet{}

	BeforeAll(func() {
		startOperator(node)
		alice, bob, carol = newPerson("alice"), newPerson("bob"), newPerson("carol", "sre")
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		class = "of-" + namespace
		for _, user := range []string{"alice", "bob", "carol"} {
			mayEdit(ctx, namespace, user)
		}
		may(ctx, namespace, "alice", v1alpha1.VerbUse, class)
		may(ctx, namespace, "bob", v1alpha1.VerbApprove, class)
		may(ctx, namespace, "carol", v1alpha1.VerbApprove, class)
		runningPod(ctx, namespace, "web")
	})

	// ask creates the class and has alice create a session of it, which then asks.
	ask := func(ctx context.Context, required int32, ttl time.Duration, change ...func(*v1alpha1.DebugClass)) *v1alpha1.DebugSession {
		GinkgoHelper()
		newClass(ctx, class, append(change, func(c *v1alpha1.DebugClass) {
			if c.Spec.Approval == nil {
				c.Spec.Approval = &v1alpha1.ApprovalPolicy{}
			}
			c.Spec.Approval.Required = required
		})...)
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName, session.Spec.TTL = class, &metav1.Duration{Duration: ttl}
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		return session
	}
	approve := func(ctx context.Context, who *person, name string) *v1alpha1.DebugApproval {
		GinkgoHelper()
		approval := newApproval(namespace, name, "hang")
		Expect(who.Create(ctx, approval)).To(Succeed())
		return approval
	}
	web := func() *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
	}
	activate := func(ctx context.Context, session *v1alpha1.DebugSession) {
		GinkgoHelper()
		pod := web()
		injected(ctx, session, pod)
		Expect(node.setEphemeral(ctx, pod, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)
	}

	It("counts people, and not their approvals", func(ctx SpecContext) {
		session := ask(ctx, 2, time.Hour)
		approve(ctx, bob, "one")
		approve(ctx, bob, "two")
		eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Approvals).To(HaveLen(2))
			g.Expect(session.Status.WaitingFor).To(HavePrefix("1 approval by who may approve class " + class))
		}).Should(Succeed())
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseAwaitingApproval))
		approve(ctx, carol, "three")
		reaches(ctx, session, v1alpha1.PhaseStarting)
	})

	It("is revoked by an approval that goes in the second of the start", func(ctx SpecContext) {
		session := ask(ctx, 1, time.Hour)
		approval := approve(ctx, bob, "yes")
		reaches(ctx, session, v1alpha1.PhaseStarting)
		Expect(bob.Delete(ctx, approval)).To(Succeed())
		pod := web()
		eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Phase).To(BeElementOf(v1alpha1.PhaseEnding, v1alpha1.PhaseEnded))
		}).Should(Succeed())
		refreshed(ctx, Default, pod)
		for i := range pod.Spec.EphemeralContainers { // one that was made before is stopped when it starts
			Expect(node.setEphemeral(ctx, pod, pod.Spec.EphemeralContainers[i].Name, running())).To(Succeed())
		}
		endsAs(ctx, session, v1alpha1.OutcomeRevoked, string(v1alpha1.OutcomeRevoked))
		nothingLeft(ctx, namespace)
	})

	It("ends at its approved time though its ttl was raised, and is extended by a new approval", func(ctx SpecContext) {
		session := ask(ctx, 1, 30*time.Second)
		approve(ctx, bob, "yes")
		activate(ctx, session)
		end := session.Status.ExpiresAt
		Expect(alice.Patch(ctx, session, mergePatch(`{"spec":{"ttl":"50m"}}`))).To(Succeed())
		eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			approved := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionApproved)
			g.Expect(approved.Reason).To(Equal(v1alpha1.ReasonShorterTTL))
			g.Expect(session.Status.WaitingFor).To(ContainSubstring("longer ttl"))
		}).Should(Succeed())
		Expect(session.Status.ExpiresAt).To(Equal(end))
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive))

		longer := approve(ctx, carol, "longer")
		eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.ExpiresAt.Time).To(Equal(session.Status.StartedAt.Add(50 * time.Minute)))
		}).Should(Succeed())
		Expect(carol.Delete(ctx, longer)).To(Succeed())
		eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.ExpiresAt).To(Equal(end), "what is taken back shortens it again")
		}).Should(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
	})

	It("says why it waits when its class is deleted, and goes on when it is back", func(ctx SpecContext) {
		session := ask(ctx, 1, time.Hour)
		there := &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: class}}
		Expect(k8s.Delete(ctx, there)).To(Succeed())
		eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonClassNotFound))
			g.Expect(said(session)).To(ContainSubstring("there is no DebugClass"))
		}).Should(Succeed())
		approve(ctx, bob, "yes")
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhasePending))
		newClass(ctx, class, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1} })
		reaches(ctx, session, v1alpha1.PhaseStarting)
	})

	It("ends on time though its class and its approver's right are gone", func(ctx SpecContext) {
		session := ask(ctx, 1, 12*time.Second)
		approve(ctx, bob, "yes")
		activate(ctx, session)
		Expect(k8s.Delete(ctx, &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: class}})).To(Succeed())
		Expect(k8s.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bob-approve-" + class}})).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		Expect(session.Status.EndedAt.Sub(session.Status.ExpiresAt.Time)).To(BeNumerically("<", 5*time.Second))
		nothingLeft(ctx, namespace)
	})

	It("is not its requester's to approve once its class has stopped that, though it was granted before", func(ctx SpecContext) {
		session := ask(ctx, 1, time.Hour, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{SelfApproval: true} })
		Expect(session.Status.Class.SelfApproval).To(BeTrue())
		there := &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: class}}
		Expect(k8s.Patch(ctx, there, mergePatch(`{"spec":{"approval":{"selfApproval":false}}}`))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonClassForbids)
		Expect(said(session)).To(ContainSubstring("requester's own approval"))
	})

	It("waits for nobody if its requester's group is exempt, however many are required", func(ctx SpecContext) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 2, Exempt: []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: "sre"}}}
		})
		may(ctx, namespace, "carol", v1alpha1.VerbUse, class)
		for who, wanted := range map[*person]v1alpha1.Phase{alice: v1alpha1.PhaseAwaitingApproval, carol: v1alpha1.PhaseStarting} {
			session := newSession(namespace, strings.ToLower(string(wanted)), "web")
			session.Spec.ClassName = class
			Expect(who.Create(ctx, session)).To(Succeed())
			reaches(ctx, session, wanted)
		}
	})

	It("inherits nothing when it is replaced by force", func(ctx SpecContext) {
		session := ask(ctx, 2, time.Hour)
		approve(ctx, bob, "yes")
		eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Approvals).To(HaveLen(1))
		}).Should(Succeed())
		old := session.UID
		manifest := "apiVersion: debugsession.dev/v1alpha1\nkind: DebugSession\nmetadata: {name: hang}\n" +
			"spec: {className: " + class + ", ttl: 1h, target: {podName: web}, debugger: {image: \"busybox:1.36\"}}\n"
		_, stderr, err := kubectl(alice, manifest, "replace", "--force", "--grace-period=0", "-n", namespace, "-f", "-")
		Expect(err).NotTo(HaveOccurred(), stderr)
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(session.UID).NotTo(Equal(old))
		approve(ctx, carol, "also")
		eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Approvals).To(HaveLen(1))
			g.Expect(session.Status.Approvals[0].By).To(Equal("carol"))
			old := &v1alpha1.DebugApproval{}
			g.Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "yes"}, old)).To(Succeed())
			g.Expect(meta.FindStatusCondition(old.Status.Conditions, v1alpha1.ConditionCounted).Reason).To(Equal(v1alpha1.ReasonOtherSession))
		}).Should(Succeed())
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	})
})
