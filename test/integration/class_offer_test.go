package integration

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

const reviewsPath = "POST /apis/authorization.k8s.io/v1/subjectaccessreviews"

// A person who is refused is told what they may do instead, and can look at it.
var _ = Describe("who may not use a class", Ordered, ContinueOnFailure, func() {
	var carol, dave *person
	var namespace string

	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		createAnything(ctx)
		carol, dave = newPerson("carol"), newPerson("dave")
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, map[string]string{"team": "shop"})
		mayEdit(ctx, namespace, "carol")
		mayEdit(ctx, namespace, "dave")
	})
	name := func(short string) string { return short + "-" + namespace }
	class := func(ctx context.Context, short string, change ...func(*v1alpha1.DebugClass)) {
		GinkgoHelper()
		newClass(ctx, name(short), change...)
		may(ctx, namespace, "carol", v1alpha1.VerbUse, name(short))
	}
	of := func(class string, change ...func(*v1alpha1.DebugSessionSpec)) *v1alpha1.DebugSession {
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName = class
		for _, c := range change {
			c(&session.Spec)
		}
		return session
	}
	asCopy := func(s *v1alpha1.DebugSessionSpec) { s.Mode = v1alpha1.ModePodCopy }
	ephemeralOnly := func(c *v1alpha1.DebugClass) { c.Spec.Modes = []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer} }
	copiesOnly := func(c *v1alpha1.DebugClass) { c.Spec.Modes = []v1alpha1.Mode{v1alpha1.ModePodCopy} }
	elsewhere := func(c *v1alpha1.DebugClass) {
		c.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "bank"}}
	}
	refusedOf := func(ctx context.Context, session *v1alpha1.DebugSession) func() string {
		return func() string { return refusal(carol.Create(ctx, session.DeepCopy(), client.DryRunAll)) }
	}

	It("is told of those that they may use for it", func(ctx SpecContext) {
		class(ctx, "copies", copiesOnly)
		class(ctx, "here", ephemeralOnly)
		class(ctx, "elsewhere", elsewhere)
		newClass(ctx, name("not-yours"))
		Eventually(refusedOf(ctx, of("standard"))).Should(And(
			HavePrefix(`"carol" may not use class "standard" in namespace "`+namespace+`"`),
			HaveSuffix(fmt.Sprintf(`; you may use class %q here, which allows this session: `+
				`set spec.className to it (for details: kubectl describe debugclass %s)`,
				name("here"), name("here")))))
		Eventually(refusedOf(ctx, of("standard", asCopy))).
			Should(ContainSubstring(fmt.Sprintf("you may use class %q here, which allows this session", name("copies"))))
		class(ctx, "also")
		Eventually(refusedOf(ctx, of("standard"))).
			Should(ContainSubstring(fmt.Sprintf("you may use classes %q, %q here, each of which allows", name("also"), name("here"))))

		By("a real one, with kubectl, as with a dry run")
		_, stderr, err := kubectl(carol, manifestOf(namespace, "standard"), "create", "-f", "-")
		Expect(err).To(HaveOccurred())
		Expect(stderr).To(ContainSubstring("kubectl describe debugclass " + name("also")))
		_, dry, err := kubectl(carol, manifestOf(namespace, "standard"), "create", "--dry-run=server", "-f", "-")
		Expect(err).To(HaveOccurred())
		Expect(dry).To(Equal(stderr))
		out, _, err := kubectl(carol, "", "describe", "debugclass", name("also"))
		Expect(err).NotTo(HaveOccurred(), "what a refusal points at can be read")
		Expect(out).To(ContainSubstring("EphemeralContainer"))
	})

	DescribeTable("or that forbids it is told of those that allow it",
		func(ctx SpecContext, forbid func(*v1alpha1.DebugClass), change func(*v1alpha1.DebugSessionSpec), says string) {
			class(ctx, "narrow", forbid)
			class(ctx, "wide", func(c *v1alpha1.DebugClass) { c.Spec.Profiles = append(c.Spec.Profiles, v1alpha1.ProfileRestricted) })
			session := of(name("narrow"), change)
			Eventually(refusedOf(ctx, session)).Should(And(ContainSubstring(says),
				ContainSubstring(fmt.Sprintf("; you may use class %q here, which allows this session: "+
					"set spec.className to it", name("wide")))))
		},
		Entry("mode", copiesOnly, func(*v1alpha1.DebugSessionSpec) {}, "spec.mode: EphemeralContainer is not allowed; allowed: PodCopy"),
		Entry("namespace", elsewhere, func(*v1alpha1.DebugSessionSpec) {}, "cannot be used in this namespace: its namespaceSelector is team=bank"),
		Entry("image", func(c *v1alpha1.DebugClass) { c.Spec.Images = []string{"registry.example/**"} },
			func(*v1alpha1.DebugSessionSpec) {},
			`spec.debugger.image: "busybox:1.36" is not allowed; allowed: registry.example/**`),
		Entry("profile", func(*v1alpha1.DebugClass) {}, func(s *v1alpha1.DebugSessionSpec) { s.Profile = v1alpha1.ProfileRestricted },
			"spec.profile: restricted is not allowed; allowed: general"),
	)

	It("is told of those for its mode if none allows it as it is", func(ctx SpecContext) {
		class(ctx, "images", func(c *v1alpha1.DebugClass) { c.Spec.Images = []string{"registry.example/**"} })
		class(ctx, "copies", copiesOnly)
		Eventually(refusedOf(ctx, of("standard"))).Should(HaveSuffix(fmt.Sprintf(
			"; you may use class %q here, but it does not allow this session as written; to see what it allows: "+
				"kubectl describe debugclass %s", name("images"), name("images"))))
	})

	It("is told if there is none, and where to look", func(ctx SpecContext) {
		newClass(ctx, name("not-yours"))
		Expect(refusedOf(ctx, of("standard"))()).To(ContainSubstring(
			`no other class for mode EphemeralContainer is available to you in namespace "` + namespace +
				`"; list all classes with kubectl get debugclasses`))
		_, _, err := kubectl(dave, "", "get", "debugclasses")
		Expect(err).NotTo(HaveOccurred())
	})

	It("costs ten reviews more at most, and a session that is let in none", func(ctx SpecContext) {
		for i := range 14 {
			newClass(ctx, name(fmt.Sprint("c", i)))
		}
		class(ctx, "mine")
		reviews := func(session *v1alpha1.DebugSession) (count int, err error) {
			before := askedSoFar()
			err = carol.Create(ctx, session) // a dry run asks once more, what its user may read
			for _, request := range askedSince(before, namespace) {
				if strings.HasPrefix(request, reviewsPath) {
					count++
				}
			}
			return count, err
		}
		Eventually(func(g Gomega) {
			count, err := reviews(of("standard"))
			g.Expect(err).To(MatchError(ContainSubstring("may not use")))
			g.Expect(count).To(Equal(11))
		}).Should(Succeed())
		count, err := reviews(of(name("mine")))
		Expect(err).NotTo(HaveOccurred())
		Expect(count).To(Equal(1))
	})

	It("is asked whether another class was meant, where the session is let in", func(ctx SpecContext) {
		class(ctx, "prod")
		mistyped := "prdo-" + namespace
		may(ctx, namespace, "carol", v1alpha1.VerbUse, mistyped)
		Eventually(func() []string {
			Expect(carol.Create(ctx, of(mistyped), client.DryRunAll)).To(Succeed())
			return carol.warnings.all()
		}).Should(ContainElement(
			fmt.Sprintf("DebugClass %s does not exist yet: the session waits for it; did you mean %q?", mistyped, name("prod"))))
	})

	It("is asked the same where it is refused, and told that there is none of that name", func(ctx SpecContext) {
		class(ctx, "prod")
		mistyped := "prdo-" + namespace
		Eventually(refusedOf(ctx, of(mistyped))).Should(And(
			HavePrefix(fmt.Sprintf(`"carol" may not use class %q in namespace %q, and no DebugClass of that name exists; `+
				`you may use class %q here, `, mistyped, namespace, name("prod"))),
			HaveSuffix(fmt.Sprintf("; did you mean %q?", name("prod")))))
	})

	It("can read classes, and write none", func(ctx SpecContext) {
		Expect(dave.List(ctx, &v1alpha1.DebugClassList{})).To(Succeed())
		for _, verb := range []string{"create", "update", "patch", "delete"} {
			Expect(allowed(ctx, "dave", "", v1alpha1.GroupVersion.Group, "debugclasses", verb, "")).To(BeFalse(), verb)
		}
		binding := &rbacv1.ClusterRoleBinding{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "debugsession-class-viewer"}, binding)).To(Succeed())
		Expect(binding.Subjects).To(ConsistOf(HaveField("Name", "system:authenticated")))
	})
})

func manifestOf(namespace, class string) string {
	return fmt.Sprintf(`
apiVersion: debugsession.dev/v1alpha1
kind: DebugSession
metadata: {name: hang, namespace: %s}
spec:
  className: %s
  target: {podName: web}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
`, namespace, class)
}
