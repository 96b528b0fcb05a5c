package integration

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// What somebody applies over what another has created would change nothing, and seem to.
var _ = Describe("to apply over what somebody else has created", Ordered, ContinueOnFailure, func() {
	var alice, bob, carol *person
	var namespace string

	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		alice, bob, carol = newPerson("alice"), newPerson("bob"), newPerson("carol")
		newClass(ctx, "reviewed", func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1} })
		newClass(ctx, "other")
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		for _, user := range []string{"alice", "bob", "carol"} {
			mayEdit(ctx, namespace, user)
			may(ctx, namespace, user, v1alpha1.VerbUse, "reviewed")
		}
		may(ctx, namespace, "bob", v1alpha1.VerbApprove, "reviewed")
		may(ctx, namespace, "carol", v1alpha1.VerbApprove, "other")
	})

	const deny = `
apiVersion: debugsession.dev/v1alpha1
kind: DebugApproval
metadata: {name: "no"}
spec: {sessionName: hang, decision: Deny}
`
	clientSide, serverSide := []string{"apply"}, []string{"apply", "--server-side"}
	forced, replace := []string{"apply", "--server-side", "--force-conflicts", "--field-manager=other"}, []string{"replace"}
	run := func(who *person, manifest string, how []string) (string, error) {
		stdout, stderr, err := kubectl(who, manifest, append(how, "-n", namespace, "-f", "-")...)
		return stdout + stderr, err
	}

	It("is not possible by an approval of somebody who may approve nothing", func() {
		said, err := run(alice, deny, clientSide)
		Expect(err).To(HaveOccurred())
		Expect(said).
			To(ContainSubstring(`"alice" may not approve any class in namespace "` + namespace + `", so this would have no effect`))
	})

	DescribeTable("is refused for approvals, before the session asks and after",
		func(ctx SpecContext, squat, apply []string) {
			_, err := run(carol, deny, squat) // she may approve another class
			Expect(err).NotTo(HaveOccurred())
			_, err = run(carol, deny, squat)
			Expect(err).NotTo(HaveOccurred(), "her own may be applied again")
			approval := &v1alpha1.DebugApproval{}
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "no"}, approval)).To(Succeed())
			version := approval.ResourceVersion
			for range 2 {
				said, err := run(bob, deny, apply)
				Expect(err).To(HaveOccurred(), said)
				Expect(said).To(ContainSubstring(`approval "no" already exists and was created by "carol"`))
				Expect(said).To(ContainSubstring("delete it first"))

				session := newSession(namespace, "hang", "web")
				session.Spec.ClassName = "reviewed"
				if k8s.Get(ctx, client.ObjectKeyFromObject(session), session) != nil {
					runningPod(ctx, namespace, "web")
					Expect(alice.Create(ctx, session)).To(Succeed())
					Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseAwaitingApproval))
				}
			}
			refreshed(ctx, Default, approval)
			Expect(approval.Spec.Approver.Username).To(Equal("carol"))
			Expect(k8s.Delete(ctx, approval)).To(Succeed())
			Expect(version).NotTo(BeEmpty())
			said, err := run(bob, deny, clientSide)
			Expect(err).NotTo(HaveOccurred(), said)
		},
		Entry("client side over client side", clientSide, clientSide),
		Entry("client side over server side", serverSide, clientSide),
		Entry("server side over client side", clientSide, serverSide),
		Entry("server side over server side", serverSide, serverSide),
		Entry("by another manager", serverSide, forced),
		Entry("by replacing it", serverSide, replace),
	)

	DescribeTable("is refused for sessions",
		func(ctx SpecContext, squat, apply []string) {
			_, err := run(carol, reviewedManifest, squat)
			Expect(err).NotTo(HaveOccurred())
			said, err := run(alice, strings.Replace(reviewedManifest, "podName: web}", "podName: web}, ttl: 20m", 1), apply)
			Expect(err).To(HaveOccurred(), said)
			Expect(said).To(ContainSubstring(`session "hang" already exists and was created by "carol"`))
			_, err = run(carol, reviewedManifest, squat)
			Expect(err).NotTo(HaveOccurred(), "her own may be applied again")

			// What anybody who may edit sessions may do to them.
			session := &v1alpha1.DebugSession{}
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "hang"}, session)).To(Succeed())
			Expect(alice.Patch(ctx, session, mergePatch(`{"spec":{"ttl":"15m"}}`))).To(Succeed())
			Expect(alice.Patch(ctx, session, mergePatch(`{"metadata":{"labels":{"team":"shop"}}}`))).To(Succeed())
			_, stderr, err := kubectl(alice,
				`{"apiVersion":"debugsession.dev/v1alpha1","kind":"DebugSession","metadata":{"name":"hang","labels":{"by":"a-tool"}}}`,
				"apply", "--server-side", "--field-manager=labeller", "-n", namespace, "-f", "-")
			Expect(err).NotTo(HaveOccurred(), stderr)
			said, err = run(alice, strings.Replace(reviewedManifest, "podName: web}", "podName: web}, end: true", 1), serverSide)
			Expect(err).NotTo(HaveOccurred(), said)
			Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseEnded))
		},
		Entry("client side over client side", clientSide, clientSide),
		Entry("client side over server side", serverSide, clientSide),
		Entry("server side over client side", clientSide, serverSide),
		Entry("server side over server side", serverSide, serverSide),
		Entry("by replacing it", clientSide, replace),
	)

	It("is refused for another's identical session where kubectl asks at all", func() {
		_, err := run(carol, reviewedManifest, clientSide)
		Expect(err).NotTo(HaveOccurred())
		said, err := run(alice, reviewedManifest, serverSide)
		Expect(err).To(HaveOccurred(), said)
		Expect(said).To(ContainSubstring(`was created by "carol"`))
	})
})
