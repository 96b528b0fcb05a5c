package integration

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
)

func newApproval(namespace, name, session string) *v1alpha1.DebugApproval {
	return &v1alpha1.DebugApproval{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.DebugApprovalSpec{SessionName: session, Decision: v1alpha1.DecisionApprove},
	}
}

var _ = Describe("admission of approvals", Ordered, func() {
	var alice, bob, carol *person
	var namespace string
	var session *v1alpha1.DebugSession

	merge := func(patch string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(patch)) }

	// ask has alice create a session that asks for approval.
	ask := func(ctx context.Context) {
		GinkgoHelper()
		session = newSession(namespace, "hang", "web")
		session.Spec.ClassName = "reviewed"
		session.Spec.TTL = &metav1.Duration{Duration: 20 * time.Minute}
		Expect(alice.Create(ctx, session)).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseAwaitingApproval))
	}

	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		alice, bob, carol = newPerson("alice"), newPerson("bob", "sre"), newPerson("carol")
		newClass(ctx, "reviewed", func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 2}
		})
	})

	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		for _, user := range []string{"alice", "bob", "carol"} {
			mayEdit(ctx, namespace, user)
		}
		may(ctx, namespace, "alice", v1alpha1.VerbUse, "reviewed")
		may(ctx, namespace, "bob", v1alpha1.VerbApprove, "reviewed")
		runningPod(ctx, namespace, "web")
	})

	It("stamps who approves, and what exactly", func(ctx SpecContext) {
		ask(ctx)
		approval := newApproval(namespace, "yes", "hang")
		Expect(bob.Create(ctx, approval)).To(Succeed())
		Expect(approval.Spec.Approver.Username).To(Equal("bob"))
		Expect(approval.Spec.Approver.Groups).To(ConsistOf("sre", "system:authenticated"))
		Expect(approval.Spec.SessionUID).To(Equal(session.UID))
		Expect(approval.Spec.RequestHash).To(Equal(session.Status.Request.Hash))
		Expect(approval.Spec.TTL.Duration).To(Equal(20 * time.Minute))
		Expect(approval.OwnerReferences).To(BeEmpty(), "it outlives its session: applied again it must not be another's")
		Expect(sealer(ctx).VerifyApproval(approval)).To(BeTrue())
	})

	It("refuses whoever may not approve, be it with a yes or a no", func(ctx SpecContext) {
		ask(ctx)
		for _, decision := range []v1alpha1.Decision{v1alpha1.DecisionApprove, v1alpha1.DecisionDeny} {
			approval := newApproval(namespace, "word", "hang")
			approval.Spec.Decision = decision
			message := refusal(carol.Create(ctx, approval))
			Expect(message).To(HavePrefix(`"carol" may not approve class "reviewed" in namespace "` + namespace + `"`))
			Expect(message).To(ContainSubstring("kubectl auth can-i approve debugclasses.debugsession.dev/reviewed -n " + namespace))
		}
	})

	DescribeTable("refuses what is forged or no longer so",
		func(ctx SpecContext, change func(*v1alpha1.DebugApprovalSpec), says string) {
			ask(ctx)
			approval := newApproval(namespace, "yes", "hang")
			change(&approval.Spec)
			Expect(refusal(bob.Create(ctx, approval))).To(ContainSubstring(says))
		},
		Entry("approver", func(s *v1alpha1.DebugApprovalSpec) { s.Approver = &v1alpha1.Identity{Username: "sre"} },
			`username is "sre", but you are "bob"`),
		Entry("session", func(s *v1alpha1.DebugApprovalSpec) { s.SessionUID = "00000000-0000-4000-8000-000000000000" },
			"spec.sessionUID: does not match session \"hang\": you approve "),
		Entry("hash", func(s *v1alpha1.DebugApprovalSpec) { s.RequestHash = "0000" },
			"spec.requestHash: does not match session \"hang\": you approve 0000, but it is now "),
		Entry("ttl", func(s *v1alpha1.DebugApprovalSpec) { s.TTL = &metav1.Duration{Duration: time.Hour} },
			"spec.ttl: does not match session \"hang\": you approve 1h, but it is now 20m"),
	)

	It("takes a hash that is right", func(ctx SpecContext) {
		ask(ctx)
		approval := newApproval(namespace, "yes", "hang")
		approval.Spec.RequestHash = session.Status.Request.Hash
		Expect(bob.Create(ctx, approval)).To(Succeed())
		Expect(approval.Spec.SessionUID).To(Equal(session.UID))
	})

	It("lets one in that comes before its session, unbound and with a warning", func(ctx SpecContext) {
		approval := newApproval(namespace, "early", "hang")
		Expect(refusal(carol.Create(ctx, approval.DeepCopy()))).
			To(HavePrefix(`"carol" may not approve any class in namespace "` + namespace + `"`))
		Expect(bob.Create(ctx, approval)).To(Succeed())
		Expect(approval.Spec.Approver.Username).To(Equal("bob"))
		Expect(approval.Spec.SessionUID).To(BeEmpty())
		Expect(approval.Spec.RequestHash).To(BeEmpty())
		Expect(approval.OwnerReferences).To(BeEmpty())
		Expect(bob.warnings.all()).To(ContainElement(ContainSubstring("this approval has no effect")))

		ask(ctx)
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseAwaitingApproval))
		Expect(session.Status.Approvals).To(BeEmpty())
	})

	It("lets in one whose session has gone or does not ask yet, for what it may name, and counts it for nothing", func(ctx SpecContext) {
		for name, change := range map[string]func(*v1alpha1.DebugApprovalSpec){
			"uid":  func(s *v1alpha1.DebugApprovalSpec) { s.SessionUID = "1" },
			"hash": func(s *v1alpha1.DebugApprovalSpec) { s.RequestHash = "1" },
			"ttl":  func(s *v1alpha1.DebugApprovalSpec) { s.TTL = &metav1.Duration{Duration: time.Hour} },
		} {
			approval := newApproval(namespace, name, "hang")
			change(&approval.Spec)
			Expect(bob.Create(ctx, approval.DeepCopy(), client.DryRunAll)).To(Succeed(), "a tool dry-runs everything first")
			Expect(bob.Create(ctx, approval)).To(Succeed())
			Expect(bob.Patch(ctx, approval, merge(`{"metadata":{"labels":{"a":"b"}}}`))).To(Succeed())
			judged(ctx, approval, v1alpha1.ReasonUnbound)
		}
	})

	It("confirms nothing that somebody who may not approve wrote before the session asked", func(ctx SpecContext) {
		ask(ctx)
		right := newApproval(namespace, "right", "hang")
		Expect(bob.Create(ctx, right)).To(Succeed())
		Expect(bob.Delete(ctx, right.DeepCopy())).To(Succeed())

		guessed := newApproval(namespace, "guessed", "hang")
		guessed.Spec.SessionUID, guessed.Spec.RequestHash, guessed.Spec.TTL = right.Spec.SessionUID, right.Spec.RequestHash, right.Spec.TTL
		guessed.Spec.Approver = &v1alpha1.Identity{Username: "carol", Groups: []string{"system:authenticated"}}
		guessed.Spec.Approver.Seal = sealer(ctx).UnboundApproval(namespace, &guessed.Spec) // as if the session had not asked yet
		stranger := approval.Approval{
			DebugApproval: guessed,
			Sealed:        sealer(ctx).VerifyApproval(guessed),
			Unbound:       sealer(ctx).VerifyUnboundApproval(guessed),
		}
		guessed.Namespace = namespace
		Expect(approval.Evaluate(stranger, session).Counts).To(BeFalse())
	})

	It("wants the hash where the class does", func(ctx SpecContext) {
		class := &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: "reviewed"}}
		Expect(k8s.Patch(ctx, class, merge(`{"spec":{"approval":{"requireRequestHash":true}}}`))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(k8s.Patch(ctx, class, merge(`{"spec":{"approval":{"requireRequestHash":null}}}`))).To(Succeed())
		})
		Eventually(func() (bool, error) {
			ask(ctx)
			if session.Status.Class.RequireRequestHash {
				return true, nil
			}
			return false, client.IgnoreNotFound(alice.Delete(ctx, session))
		}).Should(BeTrue())
		approval := newApproval(namespace, "yes", "hang")
		Expect(refusal(bob.Create(ctx, approval))).To(And(HavePrefix(`spec.requestHash: required by class "reviewed"`),
			HaveSuffix("kubectl get dbg hang -n "+namespace+" -o jsonpath={.status.request.hash}")))
		approval = newApproval(namespace, "yes", "hang")
		approval.Spec.RequestHash = session.Status.Request.Hash
		Expect(bob.Create(ctx, approval)).To(Succeed())
		denial := newApproval(namespace, "no", "hang")
		denial.Spec.Decision = v1alpha1.DecisionDeny
		Expect(bob.Create(ctx, denial)).To(Succeed(), "a no is for whatever it asks")
	})

	It("lets one in that comes after the end, unbound", func(ctx SpecContext) {
		ask(ctx)
		Expect(alice.Patch(ctx, session, merge(`{"spec":{"end":true}}`))).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseEnded))
		approval := newApproval(namespace, "late", "hang")
		Expect(bob.Create(ctx, approval)).To(Succeed())
		Expect(approval.Spec.SessionUID).To(BeEmpty())
	})

	It("binds to the session that is there, and not to the next of its name", func(ctx SpecContext) {
		ask(ctx)
		approval := newApproval(namespace, "yes", "hang")
		Expect(bob.Create(ctx, approval)).To(Succeed())
		old := session.UID
		Expect(alice.Delete(ctx, session)).To(Succeed())
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(session), session) }).ShouldNot(Succeed())
		ask(ctx)
		Expect(session.UID).NotTo(Equal(old))
		refreshed(ctx, Default, approval) // no garbage collector runs here
		Expect(approval.Spec.SessionUID).To(Equal(old))
		Expect(session.Status.Approvals).To(BeEmpty())
	})

	It("never changes, whatever is done to it", func(ctx SpecContext) {
		ask(ctx)
		approval := newApproval(namespace, "yes", "hang")
		Expect(bob.Create(ctx, approval)).To(Succeed())
		stamped := approval.Spec
		for _, patch := range []string{
			`{"spec":{"decision":"Deny"}}`, `{"spec":{"requestHash":"1"}}`, `{"spec":{"sessionUID":"1"}}`, `{"spec":{"ttl":"24h"}}`,
			`{"spec":{"approver":{"username":"alice"}}}`, `{"spec":{"approver":{"seal":"1"}}}`, `{"spec":{"sessionName":"other"}}`,
		} {
			Expect(alice.Patch(ctx, approval, merge(patch))).To(MatchError(ContainSubstring("an approval is immutable")), patch)
		}
		Expect(bob.Patch(ctx, approval, merge(`{"spec":{"requestHash":null,"sessionUID":null,"ttl":null,"approver":null}}`))).
			To(Succeed(), "what is only left out comes back")
		Expect(approval.Spec).To(Equal(stamped))
		Eventually(func(g Gomega) { // the operator may write its status meanwhile
			refreshed(ctx, g, approval)
			manifest := newApproval(namespace, "yes", "hang")
			manifest.ResourceVersion = approval.ResourceVersion
			g.Expect(bob.Update(ctx, manifest)).To(Succeed())
			g.Expect(manifest.Spec).To(Equal(stamped))
		}).Should(Succeed())
	})

	It("takes no owner whose deletion would take it back", func(ctx SpecContext) {
		ask(ctx)
		approval := newApproval(namespace, "yes", "hang")
		Expect(bob.Create(ctx, approval)).To(Succeed())
		message := refusal(alice.Patch(ctx, approval, merge(
			`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"1"}]}}`)))
		Expect(message).To(HavePrefix(
			`metadata.ownerReferences: cannot add an owner, because deleting it would revoke the approval; remove ConfigMap "gone"`))
		for _, field := range []string{"name", "kind", "apiVersion"} {
			owner := map[string]any{"apiVersion": "debugsession.dev/v1alpha1", "kind": "DebugSession", "name": "hang", "uid": session.UID}
			owner[field] = map[string]string{"name": "other", "kind": "DebugClass", "apiVersion": "v1"}[field]
			patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": []any{owner}}})
			Expect(err).NotTo(HaveOccurred())
			Expect(refusal(alice.Patch(ctx, approval.DeepCopy(), merge(string(patch))))).
				To(HavePrefix("metadata.ownerReferences: cannot add an owner, because deleting it would revoke the approval"),
					"the garbage collector finds no such owner, and deletes it")
		}
		Expect(alice.Patch(ctx, approval, merge(`{"metadata":{"ownerReferences":null,"labels":{"a":"b"}}}`))).To(Succeed())
		Expect(sealer(ctx).VerifyApproval(approval)).To(BeTrue())
	})

	DescribeTable("lets a session and its approval be applied together, in any order, dry-run first",
		func(ctx SpecContext, manifests ...string) {
			may(ctx, namespace, "bob", v1alpha1.VerbUse, "reviewed")
			apply := func(arguments ...string) {
				GinkgoHelper()
				for _, manifest := range manifests {
					_, stderr, err := kubectl(bob, manifest, append([]string{"apply", "-n", namespace, "-f", "-"}, arguments...)...)
					Expect(err).NotTo(HaveOccurred(), stderr)
				}
			}
			session = newSession(namespace, "hang", "web")
			apply("--server-side", "--dry-run=server")
			apply("--server-side")
			Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseAwaitingApproval))
			apply("--server-side", "--dry-run=server")
			apply("--server-side")
			apply()
			refreshed(ctx, Default, session)
			Expect(session.Generation).To(Equal(int64(1)))
			Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseAwaitingApproval))

			session.Spec.End = true
			Expect(bob.Update(ctx, session)).To(Succeed())
			Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseEnded))
			apply("--server-side", "--dry-run=server")
			apply("--server-side")
			apply()
		},
		Entry("session first", reviewedManifest, approvalManifest),
		Entry("approval first", approvalManifest, reviewedManifest),
		Entry("in one file, session first", reviewedManifest+"---"+approvalManifest),
		Entry("in one file, approval first", approvalManifest+"---"+reviewedManifest),
	)
})

const reviewedManifest = `
apiVersion: debugsession.dev/v1alpha1
kind: DebugSession
metadata: {name: hang}
spec: {className: reviewed, target: {podName: web}, debugger: {image: "busybox:1.36"}}
`

const approvalManifest = `
apiVersion: debugsession.dev/v1alpha1
kind: DebugApproval
metadata: {name: "yes"}
spec: {sessionName: hang, decision: Approve}
`
