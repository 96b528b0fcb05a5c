package integration

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/internal/seal"
)

// sealer has the key that the operator has.
func sealer(ctx context.Context) *seal.Sealer {
	GinkgoHelper()
	key, err := seal.LoadOrCreateKey(ctx, k8s, operator.DefaultNamespace)
	Expect(err).NotTo(HaveOccurred())
	return seal.New(key)
}

// refusal expects the error to be one of admission, and returns what it says.
func refusal(err error) string {
	GinkgoHelper()
	Expect(err).To(HaveOccurred())
	_, message, found := strings.Cut(err.Error(), "denied the request: ")
	Expect(found).To(BeTrue(), err.Error())
	return message
}

var _ = Describe("admission of sessions", Ordered, func() {
	var alice, bob *person
	var namespace string

	BeforeAll(func() {
		startOperator(&kubelet{})
		alice = newPerson("alice", "dev", "oncall")
		bob = newPerson("bob")
	})

	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		for _, user := range []string{"alice", "bob"} {
			mayEdit(ctx, namespace, user)
		}
		may(ctx, namespace, "alice", v1alpha1.VerbUse, "standard")
	})

	It("stamps who asks, the default class, the finalizer and the seal", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		Expect(alice.Create(ctx, session)).To(Succeed())
		Expect(session.Spec.Requester.Username).To(Equal("alice"))
		Expect(session.Spec.Requester.Groups).To(ConsistOf("dev", "oncall", "system:authenticated"))
		Expect(session.Spec.ClassName).To(Equal("standard"))
		Expect(session.Finalizers).To(ConsistOf(v1alpha1.Finalizer))
		Expect(sealer(ctx).VerifySession(session)).To(BeTrue())
	})

	It("refuses whoever may not use the class, and says who can help", func(ctx SpecContext) {
		message := refusal(bob.Create(ctx, newSession(namespace, "hang", "web")))
		Expect(message).To(HavePrefix(`"bob" may not use class "standard" in namespace "` + namespace + `"`))
		Expect(message).To(ContainSubstring("kubectl auth can-i use debugclasses.debugsession.dev/standard -n " + namespace))
		Expect(message).To(ContainSubstring("a namespace or cluster administrator can bind a role"))
	})

	It("takes a right for one namespace as no right for another", func(ctx SpecContext) {
		other := newNamespace(ctx, nil)
		mayEdit(ctx, other, "alice")
		Expect(refusal(alice.Create(ctx, newSession(other, "hang", "web")))).To(HavePrefix(`"alice" may not use class "standard"`))
	})

	It("asks for the right also if there is no such class", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName = "to-come"
		Expect(refusal(alice.Create(ctx, session))).To(HavePrefix(`"alice" may not use class "to-come"`))
		may(ctx, namespace, "alice", v1alpha1.VerbUse, "to-come")
		Expect(alice.Create(ctx, session)).To(Succeed())
		Expect(alice.warnings.all()).To(ContainElement("DebugClass to-come does not exist yet: the session waits for it"))
	})

	DescribeTable("refuses a forged requester",
		func(ctx SpecContext, claimed v1alpha1.Identity, says string) {
			session := newSession(namespace, "hang", "web")
			session.Spec.Requester = &claimed
			message := refusal(alice.Create(ctx, session))
			Expect(message).To(ContainSubstring(says))
			Expect(message).To(ContainSubstring("remove spec.requester"))
		},
		Entry("another name", v1alpha1.Identity{Username: "sre"}, `username is "sre", but you are "alice"`),
		Entry("another uid", v1alpha1.Identity{Username: "alice", UID: "7"}, `uid is "7", but yours is ""`),
		Entry("more groups",
			v1alpha1.Identity{Username: "alice", Groups: []string{"dev", "oncall", "system:authenticated", "system:masters"}},
			`groups are ["dev" "oncall" "system:authenticated" "system:masters"], but yours are`),
	)

	It("lets somebody name themselves, and makes the seal anew", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		session.Spec.Requester = &v1alpha1.Identity{Username: "alice", Groups: []string{"system:authenticated", "oncall", "dev"},
			Seal: "forged"}
		Expect(alice.Create(ctx, session)).To(Succeed())
		Expect(session.Spec.Requester.Seal).NotTo(Equal("forged"))
		Expect(sealer(ctx).VerifySession(session)).To(BeTrue())
	})

	It("sees who is impersonated, and not who impersonates", func(ctx SpecContext) {
		config := accountConfig()
		config.Impersonate.UserName, config.Impersonate.Groups, config.Impersonate.UID = "alice", []string{"dev"}, "u-1"
		impersonating, err := client.New(config, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		session := newSession(namespace, "hang", "web")
		Expect(impersonating.Create(ctx, session)).To(Succeed())
		Expect(session.Spec.Requester.Username).To(Equal("alice"))
		Expect(session.Spec.Requester.UID).To(Equal("u-1"))
	})

	It("answers a dry run as the real thing, and keeps nothing", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		Expect(alice.Create(ctx, session, client.DryRunAll)).To(Succeed())
		Expect(session.Spec.Requester.Username).To(Equal("alice"))
		Expect(apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(session), session))).To(BeTrue())
		Expect(refusal(bob.Create(ctx, newSession(namespace, "hang", "web"), client.DryRunAll))).To(HavePrefix(`"bob" may not use`))
	})

	It("refuses what the class does not allow", func(ctx SpecContext) {
		newClass(ctx, "narrow-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Images = []string{"registry.example/debug/*"}
			c.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
		})
		may(ctx, namespace, "alice", v1alpha1.VerbUse, "narrow-"+namespace)
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName = "narrow-" + namespace
		Eventually(func() string { return refusal(alice.Create(ctx, session)) }).Should(And(
			ContainSubstring(`spec.debugger.image: "busybox:1.36" is not allowed`),
			ContainSubstring("you may use class \"standard\" here, which allows this session")))
		session.Spec.Debugger.Image = "registry.example/debug/tools"
		Expect(refusal(alice.Create(ctx, session))).To(ContainSubstring("cannot be used in this namespace"))

		there := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		Expect(k8s.Patch(ctx, there, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"shop"}}}`)))).
			To(Succeed())
		Eventually(func() error { return alice.Create(ctx, session) }).Should(Succeed())
	})

	It("takes a list of capabilities to drop that is shorter than the profile's for what it is: more of them", func(ctx SpecContext) {
		newClass(ctx, "strict-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Profiles = []v1alpha1.Profile{v1alpha1.ProfileRestricted, v1alpha1.ProfileGeneral}
			c.Spec.Defaults = &v1alpha1.ClassDefaults{Profile: v1alpha1.ProfileRestricted}
			c.Spec.AllowVolumes = true
		})
		may(ctx, namespace, "alice", v1alpha1.VerbUse, "strict-"+namespace)
		session := func(dropped ...corev1.Capability) *v1alpha1.DebugSession {
			session := newSession(namespace, "hang", "web")
			session.Spec.ClassName, session.Spec.Profile = "strict-"+namespace, ""
			session.Spec.Debugger.SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: dropped}}
			return session
		}
		const beyond = "spec.debugger.securityContext.capabilities.drop: exceeds the profile"
		Eventually(func() string { return refusal(alice.Create(ctx, session("KILL"))) }).Should(ContainSubstring(beyond))
		explicit := session("KILL")
		explicit.Spec.Profile = v1alpha1.ProfileRestricted
		Expect(refusal(alice.Create(ctx, explicit))).To(ContainSubstring(beyond))
		taken := session("KILL")
		taken.Spec.Profile, taken.Spec.Mode, taken.Spec.Debugger.Container = v1alpha1.ProfileGeneral, v1alpha1.ModePodCopy, "app"
		Expect(refusal(alice.Create(ctx, taken))).To(ContainSubstring(beyond),
			"the container may drop ALL, and the list takes its list's place")

		Expect(alice.Create(ctx, session("ALL", "KILL"), client.DryRunAll)).To(Succeed())
		fewer := session("KILL")
		fewer.Spec.Profile = v1alpha1.ProfileGeneral
		Expect(alice.Create(ctx, fewer, client.DryRunAll)).To(Succeed(), "of a profile that drops nothing")
	})

	Describe("which class is the default", func() {
		annotate := func(ctx context.Context, name string, value any) {
			GinkgoHelper()
			class := &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
			patch, err := json.Marshal(
				map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.AnnotationDefaultClass: value}}})
			Expect(err).NotTo(HaveOccurred())
			Expect(k8s.Patch(ctx, class, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
		}

		It("is none: the classes there are get named", func(ctx SpecContext) {
			annotate(ctx, "standard", nil)
			DeferCleanup(func(ctx SpecContext) { annotate(ctx, "standard", "true") })
			Eventually(func() error {
				return alice.Create(ctx, newSession(namespace, "hang", "web"), client.DryRunAll)
			}).Should(HaveOccurred())
			Expect(refusal(alice.Create(ctx, newSession(namespace, "hang", "web")))).To(MatchRegexp(
				"^spec.className: not set, and no DebugClass is marked as the default: you may use class \"standard\" here, " +
					"which allows this session: set spec.className to it " +
					"\\(for details: kubectl describe debugclass standard\\); an administrator can mark one: " +
					"kubectl annotate debugclass NAME debugsession.dev/is-default-class=true$"))
		})

		It("is the newest of several", func(ctx SpecContext) {
			standard := &v1alpha1.DebugClass{}
			Expect(k8s.Get(ctx, client.ObjectKey{Name: "standard"}, standard)).To(Succeed())
			Eventually(time.Now).Should(BeTemporally(">=", standard.CreationTimestamp.Add(time.Second)),
				"a creation time has whole seconds")
			newClass(ctx, "newer", func(c *v1alpha1.DebugClass) {
				c.Annotations = map[string]string{v1alpha1.AnnotationDefaultClass: "true"}
			})
			may(ctx, namespace, "alice", v1alpha1.VerbUse, "newer")
			Eventually(func(g Gomega) {
				session := newSession(namespace, "hang", "web")
				g.Expect(alice.Create(ctx, session, client.DryRunAll)).To(Succeed())
				g.Expect(session.Spec.ClassName).To(Equal("newer"))
			}).Should(Succeed())
		})
	})
})
