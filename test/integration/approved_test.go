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
		namespace, class = cast(ctx, "carol")
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
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)
	}

	It("counts people, and not their approvals", func(ctx SpecContext) {
		session := ask(ctx, 2, time.Hour)
		approve(ctx, bob, "one")
		approve(ctx, bob, "two")
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Approvals).To(HaveLen(2))
			g.Expect(session.Status.WaitingFor).To(HavePrefix("1 approval from someone allowed to approve class " + class))
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
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Phase).To(BeElementOf(v1alpha1.PhaseEnding, v1alpha1.PhaseEnded))
		}).Should(Succeed())
		refreshed(ctx, Default, pod)
		for i := range pod.Spec.EphemeralContainers { // one that was made before is stopped when it starts
			Expect(node.set(ctx, pod, pod.Spec.EphemeralContainers[i].Name, running())).To(Succeed())
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
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			approved := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionApproved)
			g.Expect(approved.Reason).To(Equal(v1alpha1.ReasonShorterTTL))
			g.Expect(session.Status.WaitingFor).To(ContainSubstring("longer ttl"))
		}).Should(Succeed())
		Expect(session.Status.ExpiresAt).To(Equal(end))
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive))

		longer := approve(ctx, carol, "longer")
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.ExpiresAt.Time).To(Equal(session.Status.StartedAt.Add(50 * time.Minute)))
		}).Should(Succeed())
		Expect(carol.Delete(ctx, longer)).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.ExpiresAt).To(Equal(end), "what is taken back shortens it again")
		}).Should(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
	})

	It("says why it waits when its class is deleted, and goes on when it is back", func(ctx SpecContext) {
		session := ask(ctx, 1, time.Hour)
		there := &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: class}}
		Expect(k8s.Delete(ctx, there)).To(Succeed())
		Eventually(func(g Gomega) {
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
		Expect(k8s.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bob-approve-" + class}})).
			To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		onTime(session)
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

	It("is not its requester's to approve, unless the class says so", func(ctx SpecContext) {
		session := ask(ctx, 1, time.Hour)
		may(ctx, namespace, "alice", v1alpha1.VerbApprove, class)
		own := approve(ctx, alice, "own")
		judged(ctx, own, v1alpha1.ReasonSelfApproval)
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseAwaitingApproval))
		Expect(session.Status.Approvals).To(BeEmpty())
		approve(ctx, bob, "yes")
		reaches(ctx, session, v1alpha1.PhaseStarting)
		Expect(session.Status.Approvals).To(HaveExactElements(HaveField("By", "bob")))
	})

	It("is its requester's to approve where the class says so, and no more than one of several", func(ctx SpecContext) {
		session := ask(ctx, 2, time.Hour, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{SelfApproval: true} })
		may(ctx, namespace, "alice", v1alpha1.VerbApprove, class)
		judged(ctx, approve(ctx, alice, "own"), v1alpha1.ReasonCounted)
		judged(ctx, approve(ctx, alice, "again"), v1alpha1.ReasonCounted)
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseAwaitingApproval))
		approve(ctx, bob, "yes")
		reaches(ctx, session, v1alpha1.PhaseStarting)
	})

	It("is denied for good", func(ctx SpecContext) {
		session := ask(ctx, 1, time.Hour)
		denial := newApproval(namespace, "no", "hang")
		denial.Spec.Decision = v1alpha1.DecisionDeny
		Expect(bob.Create(ctx, denial)).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeDenied, string(v1alpha1.OutcomeDenied))
		Expect(bob.Delete(ctx, denial)).To(Succeed())
		approve(ctx, carol, "yes")
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseEnded))
		nothingLeft(ctx, namespace)
	})

	It("is timed out for good", func(ctx SpecContext) {
		session := ask(ctx, 1, time.Hour)
		since := metav1.NewTime(time.Now().Add(-defaultTimeout))
		session.Status.Request.Since = since
		Expect(k8s.Status().Update(ctx, session)).To(Succeed(), "as if it had waited as long")
		endsAs(ctx, session, v1alpha1.OutcomeTimedOut, string(v1alpha1.OutcomeTimedOut))
		approve(ctx, bob, "yes")
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseEnded))
		nothingLeft(ctx, namespace)
	})

	It("counts no more what is taken back while it waits", func(ctx SpecContext) {
		session := ask(ctx, 2, time.Hour)
		first := approve(ctx, bob, "one")
		judged(ctx, first, v1alpha1.ReasonCounted)
		Expect(bob.Delete(ctx, first)).To(Succeed())
		judged(ctx, approve(ctx, carol, "two"), v1alpha1.ReasonCounted)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Approvals).To(HaveExactElements(HaveField("By", "carol")))
			g.Expect(session.Status.WaitingFor).To(HavePrefix("1 approval from"))
		}).Should(Succeed())
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseAwaitingApproval))
	})

	It("needs no new approval of a shorter ttl, and a new one of a longer", func(ctx SpecContext) {
		session := ask(ctx, 1, 30*time.Minute)
		approve(ctx, bob, "yes")
		activate(ctx, session)
		for _, ttl := range []string{"10m", "30m"} {
			Expect(alice.Patch(ctx, session, mergePatch(`{"spec":{"ttl":"`+ttl+`"}}`))).To(Succeed())
			wanted := session.Spec.TTL.Duration
			Eventually(func(g Gomega) {
				refreshed(ctx, g, session)
				g.Expect(session.Status.ExpiresAt.Time).To(Equal(session.Status.StartedAt.Add(wanted)))
			}).Should(Succeed())
			Expect(session.Status.WaitingFor).To(BeEmpty())
		}
		Expect(alice.Patch(ctx, session, mergePatch(`{"spec":{"ttl":null}}`))).To(Succeed())
		Expect(alice.Patch(ctx, session, mergePatch(`{"spec":{"ttl":"31m"}}`))).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.WaitingFor).To(ContainSubstring("longer ttl"))
		}).Should(Succeed())
		Expect(session.Status.ExpiresAt.Time).To(Equal(session.Status.StartedAt.Add(30 * time.Minute)))
	})

	It("does not start once its requester may not use the class any more", func(ctx SpecContext) {
		session := ask(ctx, 1, time.Hour)
		Expect(k8s.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "alice-use-" + class}})).
			To(Succeed())
		Eventually(func() bool {
			return allowed(ctx, "alice", namespace, v1alpha1.GroupVersion.Group, "debugclasses", v1alpha1.VerbUse, class)
		}).Should(BeFalse())
		approve(ctx, bob, "yes")
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonUseForbidden)
		Expect(said(session)).To(ContainSubstring("kubectl auth can-i use debugclasses.debugsession.dev/" + class + " -n " + namespace))
		nothingLeft(ctx, namespace)
	})

	It("gains nothing by what an editor of the namespace does to approvals", func(ctx SpecContext) {
		session := ask(ctx, 2, time.Hour)
		word := approve(ctx, bob, "yes")
		judged(ctx, word, v1alpha1.ReasonCounted)

		copied := newApproval(namespace, "copied", "hang")
		copied.Spec = *word.Spec.DeepCopy()
		Expect(refusal(alice.Create(ctx, copied))).To(ContainSubstring(`username is "bob", but you are "alice"`))
		Expect(alice.Delete(ctx, word.DeepCopy())).To(Succeed())
		Expect(refusal(alice.Create(ctx, newApproval(namespace, "yes", "hang")))).To(HavePrefix(`"alice" may not approve`))
		copied.Name = "yes"
		Expect(refusal(alice.Create(ctx, copied))).To(ContainSubstring("spec.approver: must be the user who creates the approval"))

		word = approve(ctx, bob, "yes")
		Expect(alice.Status().Patch(ctx, word.DeepCopy(), mergePatch(`{"status":{"conditions":null}}`))).
			To(MatchError(ContainSubstring("forbidden")))
		for _, patch := range []string{
			`{"status":{"conditions":null}}`, `{"metadata":{"labels":{"debugsession.dev/session-uid":"0"}}}`,
			`{"metadata":{"annotations":{"debugsession.dev/session":"other"}}}`, `{"metadata":{"finalizers":["example.com/mine"]}}`,
			`{"metadata":{"ownerReferences":null}}`,
		} {
			Expect(alice.Patch(ctx, word.DeepCopy(), mergePatch(patch))).To(Succeed(), patch)
		}
		judged(ctx, word, v1alpha1.ReasonCounted)
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseAwaitingApproval))
		approve(ctx, carol, "also")
		activate(ctx, session)
		Expect(bob.Delete(ctx, word)).To(Succeed(), "held by alice's finalizer")
		endsAs(ctx, session, v1alpha1.OutcomeRevoked, string(v1alpha1.OutcomeRevoked))
		Expect(k8s.Patch(ctx, word, mergePatch(`{"metadata":{"finalizers":null}}`))).To(Succeed())
	})

	It("inherits nothing when it is replaced by force", func(ctx SpecContext) {
		session := ask(ctx, 2, time.Hour)
		approve(ctx, bob, "yes")
		Eventually(func(g Gomega) {
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
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Approvals).To(HaveLen(1))
			g.Expect(session.Status.Approvals[0].By).To(Equal("carol"))
			old := &v1alpha1.DebugApproval{}
			g.Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "yes"}, old)).To(Succeed())
			g.Expect(meta.FindStatusCondition(old.Status.Conditions, v1alpha1.ConditionCounted).Reason).
				To(Equal(v1alpha1.ReasonOtherSession))
		}).Should(Succeed())
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	})
})

// defaultTimeout is how long a session waits for its approvals if its class does not say.
const defaultTimeout = time.Hour

// judged waits until the operator has said of an approval whether it counts, and why.
func judged(ctx context.Context, approval *v1alpha1.DebugApproval, reason string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		refreshed(ctx, g, approval)
		counted := meta.FindStatusCondition(approval.Status.Conditions, v1alpha1.ConditionCounted)
		g.Expect(counted).NotTo(BeNil())
		g.Expect(counted.Reason).To(Equal(reason), counted.Message)
	}).Should(Succeed())
}
