package integration

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/operator"
)

var _ = Describe("a pod's network", Ordered, ContinueOnFailure, func() {
	var alice, bob *person
	var nodes, class, tenant string // the namespace of sessions, their class, and the namespace of the pod
	kubelet := &kubelet{}
	debugs := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/ephemeralcontainers"}, ResourceNames: []string{"web"}, Verbs: []string{"patch"}}

	BeforeAll(func(ctx SpecContext) {
		startOperator(kubelet, func(_ *manager.Options, o *operator.Options) { o.Image = "debugsession/operator:v1" })
		alice, bob = newPerson("alice"), newPerson("bob")
	})
	BeforeEach(func(ctx SpecContext) {
		nodes, class = cast(ctx)
		tenant = newNamespace(ctx, map[string]string{"pod-security.kubernetes.io/enforce": "restricted", "capture": "yes"})
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Modes, c.Spec.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, nodes
			c.Spec.Profiles = []v1alpha1.Profile{v1alpha1.ProfileBaseline, v1alpha1.ProfileNetadmin, v1alpha1.ProfileSysadmin}
			c.Spec.PodNetworks = &v1alpha1.PodNetworkPolicy{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"capture": "yes"}}}
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1}
		})
	})

	capture := func(changes ...func(*v1alpha1.DebugSessionSpec)) *v1alpha1.DebugSession {
		session := asked(nodes, "capture")
		session.Spec.ClassName, session.Spec.Mode, session.Spec.Profile = class, v1alpha1.ModeNode, v1alpha1.ProfileBaseline
		session.Spec.Target = v1alpha1.Target{PodName: "web", PodNamespace: tenant}
		for _, change := range changes {
			change(&session.Spec)
		}
		return session
	}
	// web is the pod, as the restricted Pod Security Standard wants it, with an address.
	web := func(ctx context.Context) *corev1.Pod {
		GinkgoHelper()
		pod := runningPod(ctx, tenant, "web", func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
			for i := range p.Spec.Containers {
				p.Spec.Containers[i].SecurityContext = &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
			}
		})
		base := pod.DeepCopy()
		pod.Status.PodIP, pod.Status.PodIPs = "10.1.2.3", []corev1.PodIP{{IP: "10.1.2.3"}}
		Expect(k8s.Status().Patch(ctx, pod, client.MergeFrom(base))).To(Succeed())
		return pod
	}

	It("is entered by who may debug the pod, once approved, and left when the pod goes", func(ctx SpecContext) {
		bind(ctx, tenant, "alice", "debug", debugs)
		pod := web(ctx)
		session := capture()
		Eventually(func() error { return alice.Create(ctx, session) }).Should(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(session.Status.Target).To(HaveValue(And(
			HaveField("Name", fmt.Sprintf("network/%s/web", tenant)), HaveField("PodNamespace", tenant), HaveField("PodUID", pod.UID))))
		Expect(string(session.Status.Request.Preview.Raw)).To(And(
			ContainSubstring("--pod-uid="+string(pod.UID)), ContainSubstring("--address=10.1.2.3"), ContainSubstring("--keep=NET_RAW")))

		approval := newApproval(nodes, "bob", "capture")
		Expect(bob.Create(ctx, approval)).To(Succeed())
		made := copied(ctx, session)
		Expect(made.Namespace).To(Equal(nodes))
		Expect(made.Spec.NodeName).To(Equal("node-1"))
		Expect(made.Spec.HostNetwork || made.Spec.HostPID || made.Spec.HostIPC).To(BeFalse())
		Expect(made.Spec.InitContainers).To(HaveExactElements(HaveField("Image", "debugsession/operator:v1")))
		Expect(kubelet.set(ctx, made, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)

		role := &rbacv1.Role{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: nodes, Name: session.Status.Access.Name}, role)).To(Succeed())
		Expect(role.Rules).NotTo(ContainElement(HaveField("Resources", ContainElement("pods/exec"))))

		vanish(ctx, pod)
		reaches(ctx, session, v1alpha1.PhaseEnding)
		vanish(ctx, made)
		endsAs(ctx, session, v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone))
	})

	It("tells those who may not debug the pod nothing of it", func(ctx SpecContext) {
		Eventually(func() error { return alice.Create(ctx, capture(), client.DryRunAll) }).Should(MatchError(And(
			ContainSubstring(`"alice" may not debug pod "web" in namespace %q`, tenant), ContainSubstring("patch pods/web --subresource=ephemeralcontainers"))))
	})

	It("is not entered by who has lost the right by the time it is approved", func(ctx SpecContext) {
		bind(ctx, tenant, "alice", "debug", debugs)
		web(ctx)
		session := capture()
		Eventually(func() error { return alice.Create(ctx, session) }).Should(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(k8s.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "alice-debug"}})).To(Succeed())
		Eventually(func() bool { return allowed(ctx, "alice", tenant, "", "pods/ephemeralcontainers", "patch", "web") }).Should(BeFalse())
		Expect(bob.Create(ctx, newApproval(nodes, "bob", "capture"))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonUseForbidden)
	})

	DescribeTable("is refused", func(ctx SpecContext, change func(*v1alpha1.DebugSessionSpec), says string) {
		bind(ctx, tenant, "alice", "debug", debugs)
		Eventually(func() error { return alice.Create(ctx, capture(change), client.DryRunAll) }).Should(MatchError(ContainSubstring(says)))
	},
		Entry("with privileges", func(s *v1alpha1.DebugSessionSpec) { s.Profile = v1alpha1.ProfileSysadmin }, "sysadmin is not for a pod's network"),
		Entry("with a security context", func(s *v1alpha1.DebugSessionSpec) { s.Debugger.SecurityContext = &corev1.SecurityContext{} }, "remove volumeMounts, workingDir and securityContext"),
		Entry("with a working directory", func(s *v1alpha1.DebugSessionSpec) { s.Debugger.WorkingDir = "/debugsession/node-processes/1/root" }, "remove volumeMounts, workingDir and securityContext"),
		Entry("with a volume", func(s *v1alpha1.DebugSessionSpec) {
			s.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "node-processes", MountPath: "/p"}}
		}, "remove volumeMounts, workingDir and securityContext"),
		Entry("of a container", func(s *v1alpha1.DebugSessionSpec) { s.Target.Container = "app" }, "remove container"),
		Entry("in another mode", func(s *v1alpha1.DebugSessionSpec) { s.Mode = v1alpha1.ModeEphemeralContainer }, "no other mode allows nodeName or podNamespace"),
		Entry("of a node, by its class", func(s *v1alpha1.DebugSessionSpec) { s.Target = v1alpha1.Target{NodeName: "node-1"} }, "and for no node"),
		Entry("of no pod", func(s *v1alpha1.DebugSessionSpec) {
			s.Target = v1alpha1.Target{NodeName: "node-1", PodNamespace: "shop"}
		}, "set podName, or remove it"),
	)

	It("is not that of a pod in a namespace that its class leaves out, nor in kube-system", func(ctx SpecContext) {
		admin := newPerson("admin-3", "system:masters")
		elsewhere := newNamespace(ctx, nil)
		for _, namespace := range []string{elsewhere, metav1.NamespaceSystem} {
			Eventually(func() error {
				return admin.Create(ctx, capture(func(s *v1alpha1.DebugSessionSpec) { s.Target.PodNamespace = namespace }), client.DryRunAll)
			}).Should(MatchError(ContainSubstring("spec.target.podNamespace: %q is not allowed", namespace)))
		}
	})

	It("is not for a class without approvals, or with Exec", func(ctx SpecContext) {
		made := &v1alpha1.DebugClass{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: class}, made)).To(Succeed())
		Expect(k8s.Patch(ctx, made.DeepCopy(), mergePatch(`{"spec":{"approval":null}}`))).
			To(MatchError(ContainSubstring("spec.podNetworks needs approval")))
		Expect(k8s.Patch(ctx, made, mergePatch(`{"spec":{"access":{"verbs":["Attach","Exec"]}}}`))).
			To(MatchError(ContainSubstring("cannot be combined with Exec")))
	})
})
