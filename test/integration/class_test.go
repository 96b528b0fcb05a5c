package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a class", Ordered, ContinueOnFailure, func() {
	var alice, bob *person
	var namespace, class string
	node := &kubelet{}

	BeforeAll(func() {
		startOperator(node)
		alice, bob = newPerson("alice"), newPerson("bob")
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		class = "of-" + namespace
		mayEdit(ctx, namespace, "alice")
		mayEdit(ctx, namespace, "bob")
		may(ctx, namespace, "alice", v1alpha1.VerbUse, class)
		may(ctx, namespace, "bob", v1alpha1.VerbApprove, class)
	})
	of := func(name, pod string) *v1alpha1.DebugSession {
		session := newSession(namespace, name, pod)
		session.Spec.ClassName = class
		return session
	}

	It("is for the pods that its podSelector selects, when the session starts", func(ctx SpecContext) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"debug": "yes"}}
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1}
		})
		runningPod(ctx, namespace, "other")
		other := of("other", "other")
		Expect(alice.Create(ctx, other)).To(Succeed())
		endsAs(ctx, other, v1alpha1.OutcomeRejected, v1alpha1.ReasonClassForbids)

		web := runningPod(ctx, namespace, "web", func(p *corev1.Pod) { p.Labels = map[string]string{"debug": "yes"} })
		session := of("hang", "web")
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(k8s.Patch(ctx, web.DeepCopy(), mergePatch(`{"metadata":{"labels":{"debug":null}}}`))).To(Succeed())
		_ = bob.Create(ctx, newApproval(namespace, "yes", "hang")) // perhaps it has ended by then
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonClassForbids)
		refreshed(ctx, Default, web)
		Expect(web.Spec.EphemeralContainers).To(BeEmpty())
	})

	It("has nodes debugged in its nodeNamespace alone", func(ctx SpecContext) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Modes, c.Spec.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, "elsewhere"
		})
		session := of("node", "")
		session.Spec.Mode, session.Spec.Target = v1alpha1.ModeNode, v1alpha1.Target{NodeName: "node-1"}
		Eventually(func() string { return refusal(alice.Create(ctx, session)) }).Should(ContainSubstring(`nodes may be debugged in namespace "elsewhere" alone`))
	})

	DescribeTable("that does not allow volumes lets nobody read by env what they perhaps may not", func(ctx SpecContext, source corev1.EnvVarSource) {
		newClass(ctx, class)
		env := []corev1.EnvVar{{Name: "STOLEN", ValueFrom: &source}}
		own := of("own", "web")
		own.Spec.Debugger.Env = env
		Eventually(func() string { return refusal(alice.Create(ctx, own)) }).Should(ContainSubstring("env STOLEN: reading ConfigMaps, Secrets and files is not allowed"))
		copied := of("copied", "web")
		copied.Spec.Mode, copied.Spec.PodCopy = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{Containers: []v1alpha1.ContainerChange{{Name: "app", Env: env}}}
		Expect(refusal(alice.Create(ctx, copied))).To(ContainSubstring("env STOLEN: reading"))
	},
		Entry("of a Secret", corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"}}),
		Entry("of a ConfigMap", corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"}}),
	)

	It("that is replaced by a wider one between approval and start widens nothing", func(ctx SpecContext) {
		there := newClass(ctx, class, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1} })
		session := of("hang", "web")
		session.Spec.TTL = nil
		runningPod(ctx, namespace, "web")
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		granted := session.Status.Class.DeepCopy()

		Expect(k8s.Delete(ctx, there)).To(Succeed())
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.MaxTTL = metav1.Duration{Duration: 24 * time.Hour}
			c.Spec.Defaults = &v1alpha1.ClassDefaults{TTL: &metav1.Duration{Duration: 12 * time.Hour}}
			c.Spec.Profiles = append(c.Spec.Profiles, v1alpha1.ProfileSysadmin)
			c.Spec.Access = &v1alpha1.AccessPolicy{Verbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessLogs, v1alpha1.AccessExec, v1alpha1.AccessPortForward}}
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1}
		})
		Expect(bob.Create(ctx, newApproval(namespace, "yes", "hang"))).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseStarting)
		Expect(session.Status.Class).To(Equal(granted))
		Expect(session.Status.HardDeadline.Sub(session.Status.StartedAt.Time)).To(Equal(time.Hour))
	})

	It("says who uses it", func(ctx SpecContext) {
		there := newClass(ctx, class)
		session := of("hang", "nobody")
		Expect(alice.Create(ctx, session)).To(Succeed())
		tells := func(sessions int32, namespaces ...string) {
			GinkgoHelper()
			eventually(func(g Gomega) {
				refreshed(ctx, g, there)
				g.Expect(there.Status.Sessions).To(Equal(sessions))
				g.Expect(there.Status.Namespaces).To(HaveExactElements(namespaces))
				g.Expect(meta.IsStatusConditionTrue(there.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
			}).Should(Succeed())
		}
		tells(1, namespace)
		Expect(alice.Delete(ctx, session)).To(Succeed())
		isGone(ctx, session)
		tells(0)
	})
})

// The hash of what is asked leaves the ttl out: an approver who wants to be sure pins both.
var _ = Describe("an approver", Ordered, func() {
	BeforeAll(func() { startOperator(&kubelet{}) })

	It("who pins hash and ttl does not approve what was raised since", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1} })
		runningPod(ctx, namespace, "web")
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName, session.Spec.TTL = class.Name, &metav1.Duration{Duration: time.Minute}
		Expect(k8s.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		reviewed := newApproval(namespace, "yes", "hang")
		reviewed.Spec.RequestHash, reviewed.Spec.TTL = session.Status.Request.Hash, session.Spec.TTL
		Expect(k8s.Patch(ctx, session.DeepCopy(), mergePatch(`{"spec":{"ttl":"50m"}}`))).To(Succeed())
		Expect(refusal(k8s.Create(ctx, reviewed))).To(HavePrefix("spec.ttl: session \"hang\" asks for something else now: you approve 1m0s, it is 50m0s"))
	})
})
