package integration

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// What will become of a session is said when it is created, as far as it can be known then; and never refused for it.
var _ = Describe("a session that is created", Ordered, ContinueOnFailure, func() {
	var erin *person
	var namespace, class string

	BeforeAll(func() { startOperator(&kubelet{}) })
	BeforeEach(func(ctx SpecContext) {
		erin = newPerson("erin") // what is said is of this spec
		namespace = newNamespace(ctx, nil)
		class = "of-" + namespace
		mayEdit(ctx, namespace, "erin")
		may(ctx, namespace, "erin", v1alpha1.VerbUse, class)
		newClass(ctx, class, func(c *v1alpha1.DebugClass) { c.Spec.AllowVolumes = true })
	})
	of := func(change ...func(*v1alpha1.DebugSessionSpec)) *v1alpha1.DebugSession {
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName = class
		for _, c := range change {
			c(&session.Spec)
		}
		return session
	}
	// known waits until admission has seen the class.
	known := func(ctx context.Context) {
		GinkgoHelper()
		Eventually(func() []string {
			before := len(erin.warnings.all())
			Expect(erin.Create(ctx, of(), client.DryRunAll)).To(Succeed())
			return erin.warnings.all()[before:]
		}).ShouldNot(ContainElement(HavePrefix("DebugClass ")))
	}
	create := func(ctx context.Context, session *v1alpha1.DebugSession, options ...client.CreateOption) []string {
		GinkgoHelper()
		known(ctx)
		before := len(erin.warnings.all())
		Expect(erin.Create(ctx, session, options...)).To(Succeed())
		return erin.warnings.all()[before:]
	}

	DescribeTable("is warned of a slip of the pen", func(ctx SpecContext, change func(*v1alpha1.DebugSessionSpec), says string) {
		runningPod(ctx, namespace, "web")
		session := of(change)
		Expect(create(ctx, session)).To(ContainElement(ContainSubstring(says)))
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Phase).To(Or(Equal(v1alpha1.PhaseEnded), Equal(v1alpha1.PhasePending)), "and says so itself")
			g.Expect(says).To(ContainSubstring(strings.SplitN(session.Status.Message(), "; waiting", 2)[0][:20]))
		}).Should(Succeed())
	},
		Entry("in the container", func(s *v1alpha1.DebugSessionSpec) { s.Target.Container = "ap" },
			`as things stand, this session will end as Rejected: spec.target.container: pod "web" has no container "ap"; `+
				`its containers are app, proxy; did you mean "app"?`),
		Entry("in debugger.container", func(s *v1alpha1.DebugSessionSpec) {
			s.Mode, s.Debugger = v1alpha1.ModePodCopy, v1alpha1.Debugger{Container: "porxy"}
		}, `as things stand, this session will end as Rejected: spec.debugger.container: `+
			`pod web has no container or init container "porxy": use one of app, proxy; did you mean "proxy"?`),
		Entry("in podCopy.containers", func(s *v1alpha1.DebugSessionSpec) {
			s.Mode, s.PodCopy = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{
				Containers: []v1alpha1.ContainerChange{{Name: "apps", Image: "app:2"}},
			}
		}, `as things stand, this session will end as Rejected: spec.podCopy.containers[0].name: `+
			`pod web has no container or init container "apps": use one of app, proxy; did you mean "app"?`),
		Entry("in a volume", func(s *v1alpha1.DebugSessionSpec) {
			s.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "dta", MountPath: "/data"}}
		}, `as things stand, this session will end as Rejected: spec.debugger.volumeMounts[0].name: pod "web" has no volume "dta"`),
		Entry("in the pod", func(s *v1alpha1.DebugSessionSpec) { s.Target.PodName = "wbe" }, `there is no pod "wbe" in namespace `),
		Entry("in the workload", func(s *v1alpha1.DebugSessionSpec) {
			s.Target = v1alpha1.Target{Workload: &v1alpha1.Workload{APIVersion: "apps/v1", Kind: "Deployment", Name: "wbe"}}
		}, `there is no Deployment "wbe" in namespace `),
		Entry("in the workload's kind", func(s *v1alpha1.DebugSessionSpec) {
			s.Target = v1alpha1.Target{Workload: &v1alpha1.Workload{APIVersion: "apps/v1", Kind: "Deploymnet", Name: "web"}}
		}, `spec.target.workload: the cluster has no kind "Deploymnet" in apiVersion apps/v1`),
	)

	It("by a selector is warned that nothing has such labels, and what the pod that is chosen lacks", func(ctx SpecContext) {
		selecting := func(value, container string) *v1alpha1.DebugSession {
			session := of(func(s *v1alpha1.DebugSessionSpec) {
				s.Target = v1alpha1.Target{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": value}},
					Container: container}
			})
			session.Name = value + container
			return session
		}
		runningPod(ctx, namespace, "web", func(p *corev1.Pod) { p.Labels = map[string]string{"app": "web"} })
		Expect(create(ctx, selecting("wbe", ""))).To(ContainElement(And(
			HavePrefix("no pod matches spec.target.selector (app=wbe)"), ContainSubstring("will end as TimedOut"))))
		Expect(create(ctx, selecting("web", "ap"))).To(ContainElement(ContainSubstring(
			`this session will end as Rejected: spec.target.container: pod "web" has no container "ap"; its containers are app, proxy; ` +
				`did you mean "app"?`)))
		known(ctx)
		asked, warned := askedSoFar(), len(erin.warnings.all())
		Expect(erin.Create(ctx, selecting("web", "app"))).To(Succeed())
		Expect(erin.warnings.all()[warned:]).To(BeEmpty())
		reaches(ctx, selecting("web", "app"), v1alpha1.PhaseStarting)
		Expect(count(askedSince(asked, namespace), "GET /api/v1/namespaces/"+namespace+"/pods/web")).To(BeZero(),
			"what was listed is not read again")
	})

	It("by a workload is warned that it has no pods, and what the pod that is chosen lacks", func(ctx SpecContext) {
		labels := map[string]string{"app": "web"}
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
			},
		}}
		Expect(k8s.Create(ctx, deployment)).To(Succeed())
		within := func(name string, change ...func(*v1alpha1.DebugSessionSpec)) *v1alpha1.DebugSession {
			session := of(append([]func(*v1alpha1.DebugSessionSpec){func(s *v1alpha1.DebugSessionSpec) {
				s.Target = v1alpha1.Target{Workload: &v1alpha1.Workload{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}
			}}, change...)...)
			session.Name = name
			return session
		}
		Expect(create(ctx, within("early"))).To(ContainElement(And(
			HavePrefix(`Deployment "web" has no pods: check its replicas and its events; if it is to have none, use mode: PodCopy`),
			ContainSubstring("will end as TimedOut"))))

		// It has a container that its Deployment does not tell of.
		runningPod(ctx, namespace, "web-0", func(p *corev1.Pod) { p.Labels = labels })
		Expect(create(ctx, within("slip", func(s *v1alpha1.DebugSessionSpec) { s.Target.Container = "porxy" }))).
			To(ContainElement(ContainSubstring(
				`this session will end as Rejected: spec.target.container: pod "web-0" has no container "porxy"; ` +
					`its containers are app, proxy; did you mean "proxy"?`)))
		Expect(create(ctx, within("copy", func(s *v1alpha1.DebugSessionSpec) {
			s.Mode, s.PodCopy = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{
				Containers: []v1alpha1.ContainerChange{{Name: "apps", Image: "app:2"}},
			}
		}))).To(ContainElement(ContainSubstring(`this session will end as Rejected: spec.podCopy.containers[0].name: ` +
			`pod web-0 has no container or init container "apps"`)))

		known(ctx)
		asked, warned := askedSoFar(), len(erin.warnings.all())
		Expect(erin.Create(ctx, within("hang", func(s *v1alpha1.DebugSessionSpec) { s.Target.Container = "proxy" }))).To(Succeed())
		Expect(erin.warnings.all()[warned:]).To(BeEmpty())
		Expect(count(askedSince(asked, namespace), "GET /api/v1/namespaces/"+namespace+"/pods/web-0")).To(BeZero(),
			"what was listed is not read again")
	})

	It("is told until when its pod is waited for, and how to correct it", func(ctx SpecContext) {
		Expect(create(ctx, of())).
			To(ContainElement(MatchRegexp(`^there is no pod "web" in namespace "` + namespace + `"; waiting until .*Z; ` +
				`if it is still missing by then, this session will end as TimedOut; if the name is wrong, correct the manifest and run: ` +
				`kubectl replace --force -n ` + namespace + ` -f FILE$`)))
		runningPod(ctx, namespace, "web")
		session := of()
		reaches(ctx, session, v1alpha1.PhaseStarting)
	})

	It("is corrected as the warning and the refusal say", func(ctx SpecContext) {
		runningPod(ctx, namespace, "wed")
		known(ctx)
		_, stderr, err := kubectl(erin, manifestOf(namespace, class), "apply", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		Expect(stderr).To(ContainSubstring("Warning: there is no pod \"web\""))
		corrected := strings.ReplaceAll(manifestOf(namespace, class), "podName: web", "podName: wed")
		_, stderr, err = kubectl(erin, corrected, "apply", "-f", "-")
		Expect(err).To(HaveOccurred())
		Expect(stderr).
			To(ContainSubstring("target cannot be changed: only ttl and end can; apply a new session, or replace this one, " +
				"which ends it: kubectl replace --force -f FILE"))
		_, stderr, err = kubectl(erin, corrected, "replace", "--force", "-f", "-")
		Expect(err).NotTo(HaveOccurred(), stderr)
		reaches(ctx, of(), v1alpha1.PhaseStarting)
	})

	It("with nothing wrong is told nothing, and costs one request more", func(ctx SpecContext) {
		runningPod(ctx, namespace, "web")
		known(ctx)
		before, asked := len(erin.warnings.all()), askedSoFar()
		session := of()
		Expect(erin.Create(ctx, session)).To(Succeed())
		Expect(erin.warnings.all()[before:]).To(BeEmpty())
		reaches(ctx, session, v1alpha1.PhaseStarting)
		Expect(askedSince(asked, namespace)).To(ContainElement("GET /api/v1/namespaces/" + namespace + "/pods/web"))
		Expect(count(askedSince(asked, namespace), "GET /api/v1/namespaces/"+namespace+"/pods/web")).To(Equal(1))
	})

	Describe("as a dry run", func() {
		dryRun := func(ctx context.Context, session *v1alpha1.DebugSession) string {
			GinkgoHelper()
			said := create(ctx, session, client.DryRunAll)
			Expect(said).To(HaveLen(1))
			return said[0]
		}
		inCopy := func(s *v1alpha1.DebugSessionSpec) { s.Mode = v1alpha1.ModePodCopy }

		It("says that all would be well, and makes nothing", func(ctx SpecContext) {
			pod := runningPod(ctx, namespace, "web")
			for _, session := range []*v1alpha1.DebugSession{of(), of(inCopy)} {
				Expect(dryRun(ctx, session)).To(MatchRegexp(`^dry run: the API server would accept the debugger for web; class "` + class +
					`" requires no approval, and the session would end at .*Z$`))
			}
			refreshed(ctx, Default, pod)
			Expect(pod.Spec.EphemeralContainers).To(BeEmpty())
			pods := &corev1.PodList{}
			Expect(k8s.List(ctx, pods, client.InNamespace(namespace))).To(Succeed())
			Expect(pods.Items).To(HaveLen(1))
			sessions := &v1alpha1.DebugSessionList{}
			Expect(k8s.List(ctx, sessions, client.InNamespace(namespace))).To(Succeed())
			Expect(sessions.Items).To(BeEmpty())
		})

		It("says what Pod Security would refuse, with kubectl too", func(ctx SpecContext) {
			runningPod(ctx, namespace, "web")
			Expect(k8s.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
				mergePatch(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`))).To(Succeed())
			Eventually(func() string { return dryRun(ctx, of()) }).Should(And(
				HavePrefix("dry run: the session would end as Rejected: the API server refused it: "),
				ContainSubstring("violates PodSecurity"), ContainSubstring("use mode: PodCopy")))
			Expect(dryRun(ctx, of(inCopy))).To(ContainSubstring("violates PodSecurity"))
			out, stderr, err := kubectl(erin, manifestOf(namespace, class), "apply", "--dry-run=server", "-f", "-")
			Expect(err).NotTo(HaveOccurred(), "that it would be refused is no refusal")
			Expect(out).To(ContainSubstring("created (server dry run)"))
			Expect(stderr).To(ContainSubstring("Warning: dry run: the session would end as Rejected: the API server refused it: "))
		})

		It("says what a quota would refuse", func(ctx SpecContext) {
			runningPod(ctx, namespace, "web")
			Expect(k8s.Create(ctx, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "none"},
				Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}})).To(Succeed())
			quota := &corev1.ResourceQuota{}
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "none"}, quota)).To(Succeed())
			quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}
			Expect(k8s.Status().Update(ctx, quota)).To(Succeed(), "there is no controller that counts")
			Eventually(func() string { return dryRun(ctx, of(inCopy)) }).Should(ContainSubstring("exceeded quota: none"))
		})

		It("says whose approval would be waited for", func(ctx SpecContext) {
			runningPod(ctx, namespace, "web")
			Expect(k8s.Patch(ctx, &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: class}},
				mergePatch(`{"spec":{"approval":{"required":1}}}`))).To(Succeed())
			Eventually(func() string { return dryRun(ctx, of()) }).Should(HavePrefix(
				"dry run: the API server would accept the debugger; the session would wait for approval: 0 of 1 approvals; waiting until "))
		})

		It("says what it would wait for", func(ctx SpecContext) {
			Expect(dryRun(ctx, of())).To(HavePrefix(`dry run: the session would wait: there is no pod "web"`))
		})

		It("tells nothing of pods to who may not read them", func(ctx SpecContext) {
			runningPod(ctx, namespace, "web", func(p *corev1.Pod) { p.Spec.Containers[1].Name = "s3cret" })
			blind := newPerson("frank")
			bind(ctx, namespace, "frank", "sessions", rbacv1.PolicyRule{
				APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"debugsessions"}, Verbs: []string{"create", "get"},
			})
			may(ctx, namespace, "frank", v1alpha1.VerbUse, class)
			known(ctx)
			for _, session := range []*v1alpha1.DebugSession{of(), of(func(s *v1alpha1.DebugSessionSpec) { s.Target.Container = "nope" })} {
				Expect(blind.Create(ctx, session, client.DryRunAll)).To(Succeed())
			}
			Expect(blind.warnings.all()).
				To(ContainElement(fmt.Sprintf("dry run: the session may be created; its outcome is shown only to users who may "+
					"get pods in namespace %q (kubectl auth can-i get pods -n %s)", namespace, namespace)))
			Expect(strings.Join(blind.warnings.all(), "\n")).NotTo(ContainSubstring("s3cret"))
		})
	})

})

func count(requests []string, wanted string) (n int) {
	for _, request := range requests {
		if request == wanted {
			n++
		}
	}
	return n
}
