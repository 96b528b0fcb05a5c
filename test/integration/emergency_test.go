package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
)

var _ = Describe("an emergency", Ordered, ContinueOnFailure, func() {
	var alice, bob *person
	var namespace, class, folder string
	node := &kubelet{}

	BeforeAll(func() {
		folder = filepath.Join(GinkgoT().TempDir(), "audit")
		startOperator(node, storing(folder))
		alice, bob = newPerson("alice"), newPerson("bob")
	})
	BeforeEach(func(ctx SpecContext) {
		namespace, class = cast(ctx, "mallory")
		may(ctx, namespace, "mallory", v1alpha1.VerbUse, class)
		may(ctx, namespace, "alice", v1alpha1.VerbEmergency, class)
		runningPod(ctx, namespace, "web")
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1, Emergency: &v1alpha1.EmergencyPolicy{
				ReviewWithin: metav1.Duration{Duration: time.Hour}, MaxTTL: &metav1.Duration{Duration: 10 * time.Minute},
			}}
		})
	})

	AfterEach(func(ctx SpecContext) { // else each sink of later specs is told of those that nobody has reviewed
		sessions := &v1alpha1.DebugSessionList{}
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.DebugSession{}, client.InNamespace(namespace))).To(Succeed())
		Expect(k8s.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.List(ctx, sessions, client.InNamespace(namespace))).To(Succeed())
			g.Expect(sessions.Items).To(BeEmpty())
		}).Should(Succeed())
	})

	hasty := func() *v1alpha1.DebugSession {
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName, session.Spec.Emergency, session.Spec.Reason = class, true, "INC-1: nobody answers"
		return session
	}
	reviewed := func(session *v1alpha1.DebugSession) string {
		if condition := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionReviewed); condition != nil {
			return condition.Reason
		}
		return ""
	}
	ended := func(ctx context.Context) *v1alpha1.DebugSession {
		GinkgoHelper()
		session := hasty()
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseStarting)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
		injected(ctx, session, pod)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, exited(0, "Completed", ""))).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseEnded)
		Eventually(func(g Gomega) { // its last write, before which what a spec writes into the status could be lost
			refreshed(ctx, g, session)
			g.Expect(session.Finalizers).To(BeEmpty())
		}).Should(Succeed())
		return session
	}
	said := func(ctx context.Context, who *person, decision v1alpha1.Decision) error {
		approval := newApproval(namespace, "word", "hang")
		approval.Spec.Decision, approval.Spec.Reason = decision, "the word of bob"
		return who.Create(ctx, approval)
	}
	classStatus := func(ctx context.Context, g Gomega) *v1alpha1.DebugClassStatus {
		found := &v1alpha1.DebugClass{}
		g.Expect(k8s.Get(ctx, client.ObjectKey{Name: class}, found)).To(Succeed())
		return &found.Status
	}

	It("starts before its approval, for as long as its class lets it, and is approved afterwards", func(ctx SpecContext) {
		session := hasty()
		session.Spec.TTL = &metav1.Duration{Duration: 30 * time.Minute}
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseStarting)
		Expect(reviewed(session)).To(Equal(v1alpha1.ReasonAwaitingReview))
		Expect(session.Status.Request.Hash).NotTo(BeEmpty(), "what was injected is what is reviewed")
		Expect(session.Status.ExpiresAt.Sub(session.Status.StartedAt.Time)).To(Equal(10 * time.Minute))
		Eventually(func(g Gomega) { g.Expect(classStatus(ctx, g).ReviewsPending).To(BeEquivalentTo(1)) }).Should(Succeed())
		Eventually(func(g Gomega) {
			events := &eventsv1.EventList{}
			g.Expect(k8s.List(ctx, events, client.InNamespace(namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(
				And(HaveField("Reason", v1alpha1.ReasonEmergency), HaveField("Note", ContainSubstring("INC-1: nobody answers")))))
		}).Should(Succeed())

		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
		injected(ctx, session, pod)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)
		Expect(said(ctx, bob, v1alpha1.DecisionApprove)).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(reviewed(session)).To(Equal(v1alpha1.ReasonAcknowledged))
			g.Expect(session.Status.Review.By).To(Equal("bob"))
			g.Expect(session.Status.ExpiresAt.Sub(session.Status.StartedAt.Time)).To(Equal(30*time.Minute), "it lasts as approved")
			g.Expect(classStatus(ctx, g).ReviewsPending).To(BeZero())
		}).Should(Succeed())
	})

	It("is ended by a denial", func(ctx SpecContext) {
		session := hasty()
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseStarting)
		Expect(said(ctx, bob, v1alpha1.DecisionDeny)).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(reviewed(session)).To(Equal(v1alpha1.ReasonDeniedInReview))
			g.Expect(meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionEnded)).
				To(HaveField("Reason", string(v1alpha1.OutcomeRevoked)))
		}).Should(Succeed())
	})

	It("is refused of who may not declare it, without a reason, and of a class that allows none", func(ctx SpecContext) {
		session := hasty()
		Expect(newPerson("mallory").Create(ctx, session)).
			To(MatchError(ContainSubstring(`"mallory" may not declare emergencies under class`)))
		session = hasty()
		session.Spec.Reason = " "
		Expect(alice.Create(ctx, session)).To(MatchError(ContainSubstring("an emergency needs")))
		session = hasty()
		session.Spec.ClassName = class + "-strict"
		newClass(ctx, session.Spec.ClassName, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1} })
		may(ctx, namespace, "alice", v1alpha1.VerbUse, session.Spec.ClassName)
		may(ctx, namespace, "alice", v1alpha1.VerbEmergency, session.Spec.ClassName)
		Expect(alice.Create(ctx, session)).
			To(MatchError(And(ContainSubstring("spec.emergency"), ContainSubstring("apply the session without it"))))
	})

	It("is kept for its review: nobody can have the garbage collector delete it", func(ctx SpecContext) {
		owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "owner"}}
		Expect(k8s.Create(ctx, owner)).To(Succeed())
		owned := hasty()
		owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}
		Expect(alice.Create(ctx, owned)).To(MatchError(ContainSubstring("an emergency must be reviewed")))
		owned.Spec.Emergency = false
		Expect(alice.Create(ctx, owned)).To(Succeed())
		reaches(ctx, owned, v1alpha1.PhaseAwaitingApproval)
		Expect(alice.Patch(ctx, owned.DeepCopy(), mergePatch(`{"spec":{"emergency":true}}`))).
			To(MatchError(ContainSubstring("an emergency must be reviewed")))

		free := hasty()
		free.Name = "free"
		Expect(alice.Create(ctx, free)).To(Succeed())
		reaches(ctx, free, v1alpha1.PhaseStarting)
		own := fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":%q}]}}`, owner.UID)
		Expect(alice.Patch(ctx, free.DeepCopy(), mergePatch(own))).To(MatchError(ContainSubstring("an emergency must be reviewed")))
	})

	It("costs nothing when it has ended, neither while its review is awaited nor after that", func(ctx SpecContext) {
		session := ended(ctx)
		rests := func() {
			GinkgoHelper()
			Eventually(func(g Gomega) { // its last event was sent
				before := len(requestsFor(namespace))
				look(ctx, session, 1)
				g.Expect(requestsFor(namespace)).To(HaveLen(before))
			}).Should(Succeed())
			so := askedSoFar()
			look(ctx, session, 100)
			Expect(askedSince(so, namespace)).To(BeEmpty())
		}
		rests()
		Expect(said(ctx, bob, v1alpha1.DecisionApprove)).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(reviewed(session)).To(Equal(v1alpha1.ReasonAcknowledged))
		}).Should(Succeed())
		rests()
	})

	It("is declared by the requester alone of a session that waits, and never taken back", func(ctx SpecContext) {
		session := hasty()
		session.Spec.Emergency = false
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		hash := session.Status.Request.Hash
		flip := mergePatch(`{"spec":{"emergency":true}}`)
		mallory := newPerson("mallory")
		Expect(mallory.Patch(ctx, session.DeepCopy(), flip)).To(MatchError(ContainSubstring("can declare it an emergency")))
		Expect(k8s.Patch(ctx, session.DeepCopy(), flip)).To(MatchError(ContainSubstring("can declare it an emergency")))
		seal := mergePatch(`{"spec":{"emergency":true,"requester":{"username":"mallory"}}}`)
		Expect(mallory.Patch(ctx, session.DeepCopy(), seal)).NotTo(Succeed())

		Expect(alice.Patch(ctx, session.DeepCopy(), flip)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseStarting)
		Expect(session.Status.Request.Hash).To(Equal(hash))
		Expect(reviewed(session)).To(Equal(v1alpha1.ReasonAwaitingReview))
		Expect(alice.Patch(ctx, session.DeepCopy(), mergePatch(`{"spec":{"emergency":false}}`))).
			To(MatchError(ContainSubstring("emergency cannot be unset")))
		Expect(mallory.Patch(ctx, session.DeepCopy(), mergePatch(`{"spec":{"requester":{"seal":"forged"}}}`))).
			To(MatchError(ContainSubstring("requester is stamped")))
	})

	It("cannot be reviewed by its requester", func(ctx SpecContext) {
		may(ctx, namespace, "alice", v1alpha1.VerbApprove, class)
		session := ended(ctx)
		Expect(said(ctx, alice, v1alpha1.DecisionApprove)).To(Succeed())
		word := newApproval(namespace, "word", "hang")
		Eventually(func(g Gomega) {
			refreshed(ctx, g, word)
			g.Expect(meta.FindStatusCondition(word.Status.Conditions, v1alpha1.ConditionCounted)).
				To(HaveField("Reason", v1alpha1.ReasonSelfApproval))
		}).Should(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(session), session)).To(Succeed())
		Expect(session.Status.AwaitsReview()).To(BeTrue())
	})

	DescribeTable("is reviewed when it has ended, and overdue until then", func(ctx SpecContext, decision v1alpha1.Decision,
		reason string) {
		session := ended(ctx)
		Expect(reviewed(session)).To(Equal(v1alpha1.ReasonAwaitingReview))
		past := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
		base := session.DeepCopy()
		session.Status.Review.DueAt, session.Status.Review.NextReminder = past, &past
		Expect(k8s.Status().Patch(ctx, session, client.MergeFrom(base))).To(Succeed(), "as if it had waited as long")
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(reviewed(session)).To(Equal(v1alpha1.ReasonReviewOverdue))
			status := classStatus(ctx, g)
			g.Expect(status.ReviewsOverdue).To(BeEquivalentTo(1))
			g.Expect(meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReviewOverdue)).To(And(
				HaveField("Status", metav1.ConditionTrue), HaveField("Message", ContainSubstring(namespace+"/hang"))))
		}).Should(Succeed())

		Expect(said(ctx, bob, decision)).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(reviewed(session)).To(Equal(reason))
			g.Expect(session.Status.Review).To(And(HaveField("By", "bob"), HaveField("AfterEnd", true)))
			g.Expect(session.Status.Outcome).To(Equal(v1alpha1.OutcomeCompleted))
			g.Expect(meta.IsStatusConditionTrue(classStatus(ctx, g).Conditions, v1alpha1.ConditionReviewOverdue)).To(BeFalse())
			g.Expect(session.Status.Audit).NotTo(BeNil())
			g.Expect(session.Status.Audit.ReviewKey).NotTo(BeEmpty())
		}).Should(Succeed())
		own := recordOf(folder, session)
		Expect(own.Session.Review.Decision).To(BeEmpty(), "the record as it was at the end")
		text, err := os.ReadFile(filepath.Join(folder, session.Status.Audit.ReviewKey))
		Expect(err).NotTo(HaveOccurred())
		Expect(audit.Digest(text)).To(Equal(session.Status.Audit.ReviewSHA256))
		late, err := audit.Decode(text)
		Expect(err).NotTo(HaveOccurred())
		Expect(late.Review).To(And(HaveField("By", "bob"), HaveField("Decision", decision), HaveField("UID", string(session.UID)),
			HaveField("Session", audit.Reference{Key: session.Status.Audit.Key, SHA256: session.Status.Audit.SHA256})))
		Expect(late.Review.Approvals).To(ConsistOf(And(HaveField("Approver.Username", "bob"), HaveField("Reason", "the word of bob"))))
	},
		Entry("by an approval", v1alpha1.DecisionApprove, v1alpha1.ReasonAcknowledged),
		Entry("by a denial", v1alpha1.DecisionDeny, v1alpha1.ReasonDeniedInReview),
	)
})
