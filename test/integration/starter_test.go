package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

const starter = "../../config/starter"

// kustomized is what kubectl apply -k would apply.
func kustomized(folder string) string {
	GinkgoHelper()
	out, err := exec.Command(filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", folder).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", out)
	return string(out)
}

// onboards writes a team's overlay as config/starter says: a copy of team-a, with other names.
func onboards(team, namespace string) (folder string) {
	GinkgoHelper()
	folder = GinkgoT().TempDir()
	base, err := filepath.Abs(filepath.Join(starter, "team"))
	Expect(err).NotTo(HaveOccurred())
	from, err := filepath.EvalSymlinks(folder)
	Expect(err).NotTo(HaveOccurred())
	base, err = filepath.Rel(from, base)
	Expect(err).NotTo(HaveOccurred())
	overlay := strings.NewReplacer("namespace: team-a", "namespace: "+namespace, "- ../team", "- "+base, "value: team-a-", "value: "+team+"-").
		Replace(read(filepath.Join(starter, "team-a", "kustomization.yaml")))
	Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(overlay), 0o600)).To(Succeed())
	return folder
}

var _ = Describe("the starter kit", Ordered, ContinueOnFailure, func() {
	var admin, alice, carol, bob, oscar, petra *person
	var dev, production, theirs string

	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		admin = newPerson("admin", "system:masters")
		alice, carol = newPerson("alice-a", "a-users"), newPerson("carol-a", "a-approvers")
		oscar, bob = newPerson("oscar-a", "a-on-call"), newPerson("bob-b", "b-approvers", "b-users")
		petra = newPerson("petra")
		dev = newNamespace(ctx, map[string]string{"debugsession.dev/environment": "dev"})
		production, theirs = newNamespace(ctx, nil), newNamespace(ctx, nil)

		manifests := kustomized(starter)
		for _, overlay := range []string{onboards("a", dev), onboards("a", production), onboards("b", theirs)} {
			manifests += "\n---\n" + kustomized(overlay)
		}
		for range 2 { // the second time nothing is changed
			stdout, stderr, err := kubectl(admin, manifests, "apply", "-f", "-")
			Expect(err).NotTo(HaveOccurred(), stderr)
			Expect(stdout).To(ContainSubstring("debugclass.debugsession.dev/breakglass"))
		}
		for _, namespace := range []string{dev, production, theirs} {
			runningPod(ctx, namespace, "web")
		}
	})

	AfterAll(func(ctx SpecContext) {
		for _, manifest := range documents(kustomized(starter)) {
			discard(ctx, manifest)
		}
	})

	asks := func(namespace, class string) *v1alpha1.DebugSession {
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName, session.Spec.Reason = class, "INC-1"
		return session
	}

	// There is no kubelet: a session that may run stays Starting.
	It("lets a team debug in dev at once", func(ctx SpecContext) {
		session := asks(dev, "dev")
		Eventually(func() error { return alice.Create(ctx, session) }).Should(Succeed()) // the authorizer learns of a role a moment later
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseStarting))
	})

	It("has another of the team approve in production, and nobody of another team", func(ctx SpecContext) {
		session := asks(production, "production")
		Eventually(func() error { return alice.Create(ctx, session) }).Should(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseAwaitingApproval))
		approval := func() *v1alpha1.DebugApproval {
			approval := newApproval(production, "seen", session.Name)
			approval.Spec.RequestHash = session.Status.Request.Hash
			return approval
		}
		for name, somebody := range map[string]*person{"who asked": alice, "an approver of another team": bob, "who is on call": oscar, "anybody": petra} {
			Expect(apierrors.IsForbidden(somebody.Create(ctx, approval()))).To(BeTrue(), name)
		}
		Expect(carol.Create(ctx, approval())).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseStarting))
	})

	It("keeps a class from where it does not belong, and a team from another's namespace", func(ctx SpecContext) {
		for _, c := range []struct {
			as               *person
			namespace, class string
		}{{alice, theirs, "dev"}, {alice, theirs, "production"}, {carol, production, "production"}, {petra, dev, "dev"}} {
			Expect(apierrors.IsForbidden(c.as.Create(ctx, asks(c.namespace, c.class), client.DryRunAll))).To(BeTrue(), "%s in %s", c.class, c.namespace)
		}
		for namespace, class := range map[string]string{production: "dev", dev: "production"} {
			Expect(alice.Create(ctx, asks(namespace, class), client.DryRunAll)).
				To(MatchError(ContainSubstring("cannot be used in this namespace")), "%s in %s", class, namespace)
		}
	})

	It("lets those on call start before the approval, and no one else", func(ctx SpecContext) {
		hasty := func() *v1alpha1.DebugSession {
			session := asks(production, "breakglass")
			session.Name, session.Spec.Emergency = "hasty", true
			return session
		}
		Expect(apierrors.IsForbidden(alice.Create(ctx, hasty()))).To(BeTrue())
		session := hasty()
		Expect(oscar.Create(ctx, session)).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseStarting))
		Expect(carol.Create(ctx, newApproval(production, "was-right", session.Name))).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.AwaitsReview()).To(BeFalse())
		}).Should(Succeed())
	})
})
