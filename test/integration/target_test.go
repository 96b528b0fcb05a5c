package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// setStatus writes what a kubelet says of a pod.
func setStatus(ctx context.Context, pod *corev1.Pod, change fixture.PodOption) {
	GinkgoHelper()
	base := pod.DeepCopy()
	change(pod)
	Expect(k8s.Status().Patch(ctx, pod, client.MergeFrom(base))).To(Succeed())
}

// vanish deletes a pod as a kubelet does that has ended its containers.
func vanish(ctx context.Context, pod *corev1.Pod) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
}

var _ = Describe("a session's target", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	It("is waited for, and debugged when it comes", func(ctx SpecContext) {
		session := create(ctx, namespace, "hang", fixture.Of("web"))
		reaches(ctx, session, v1alpha1.PhasePending)
		Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonTargetNotFound))
		Expect(said(session)).To(ContainSubstring(`there is no pod "web" in namespace "` + namespace + `"; waiting until `))

		pod := runningPod(ctx, namespace, "web", fixture.Unplaced)
		Eventually(func(g Gomega) string {
			refreshed(ctx, g, session)
			return session.Status.Reason
		}).Should(Equal(v1alpha1.ReasonTargetNotPlaced))
		Expect(k8s.SubResource("binding").Create(ctx, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node-1"}})).
			To(Succeed())
		injected(ctx, session, pod)
		Expect(session.Status.Target.PodUID).To(Equal(pod.UID))
	})

	DescribeTable("is refused", func(ctx SpecContext, change fixture.SessionOption, prepare func(SpecContext, *corev1.Pod),
		reason, says string) {
		pod := runningPod(ctx, namespace, "web")
		prepare(ctx, pod)
		session := create(ctx, namespace, "hang", fixture.Of("web"), change)
		endsAs(ctx, session, v1alpha1.OutcomeRejected, reason)
		Expect(said(session)).To(ContainSubstring(says))
		refreshed(ctx, Default, pod)
		Expect(pod.Spec.EphemeralContainers).NotTo(ContainElement(HaveField("Image", "busybox:1.36")))
	},
		Entry("if it has succeeded", asItIs, finishAs(corev1.PodSucceeded), v1alpha1.ReasonTargetFinished,
			`pod "web" has finished (Succeeded)`),
		Entry("if it has failed", asItIs, finishAs(corev1.PodFailed), v1alpha1.ReasonTargetFinished, `pod "web" has finished (Failed)`),
		Entry("if it is being deleted", asItIs, func(ctx SpecContext, pod *corev1.Pod) {
			Expect(k8s.Delete(ctx, pod)).To(Succeed()) // stays for its grace period: no kubelet ends it
			DeferCleanup(func(ctx SpecContext) { vanish(ctx, pod) })
		}, v1alpha1.ReasonTargetTerminating, `pod "web" is being deleted`),
		Entry("without the container", container("ap"), unchanged, v1alpha1.ReasonContainerNotFound,
			`pod "web" has no container "ap"; its containers are app, proxy`),
		Entry("if the container is an ephemeral one", container("earlier"), func(ctx SpecContext, pod *corev1.Pod) {
			pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "earlier", Image: "earlier:1", ImagePullPolicy: corev1.PullIfNotPresent,
				TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			}}}
			Expect(k8s.SubResource("ephemeralcontainers").Update(ctx, pod)).To(Succeed())
		}, v1alpha1.ReasonContainerNotFound, `"earlier" is an ephemeral container of pod "web"`),
		Entry("without the volume", func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/mnt"}}
		}, unchanged, v1alpha1.ReasonVolumeNotFound, `pod "web" has no volume "data"`),
		Entry("if its selector is none", func(s *v1alpha1.DebugSession) {
			fixture.OfSelector(map[string]string{"app": "has spaces"})(s)
		}, unchanged, v1alpha1.ReasonInvalid, "spec.target.selector: "),
	)

	It("may be a mirror pod for a copy, and for nothing else", func(ctx SpecContext) {
		mirror := runningPod(ctx, namespace, "static", func(p *corev1.Pod) {
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "0123"}
			p.Spec.ServiceAccountName, p.Spec.AutomountServiceAccountToken = "", new(false)
		})
		session := create(ctx, namespace, "hang", fixture.Of(mirror.Name))
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetIsMirrorPod)
		copied(ctx, create(ctx, namespace, "copy", fixture.Of(mirror.Name), fixture.AsCopy()))
	})

	It("may have a name of 253 characters, as may the session", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, long(253), func(p *corev1.Pod) { p.Labels = nil })
		session := create(ctx, namespace, long(253), fixture.Of(pod.Name))
		injected(ctx, session, pod)
		made := copied(ctx, create(ctx, namespace, "b"+long(252), fixture.Of(pod.Name), fixture.AsCopy()))
		Expect(len(made.Name)).To(BeNumerically("<=", 63))
		Expect(made.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationCopyOf, pod.Name))
	})

	It("ends the session when it goes while the session is active", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, node, namespace, "hang", pod)
		vanish(ctx, pod)
		endsAs(ctx, session, v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone))
	})

	It("ends the session when another pod has taken its name, and that is not touched", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, node, namespace, "hang", pod)
		vanish(ctx, pod)
		another := runningPod(ctx, namespace, "web")
		endsAs(ctx, session, v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone))
		version := another.ResourceVersion
		refreshed(ctx, Default, another)
		Expect(another.ResourceVersion).To(Equal(version))
	})

	It("may go when a copy of it is there", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, node, namespace, "hang", pod, fixture.AsCopy())
		vanish(ctx, pod)
		edit(ctx, session, fixture.TTL(60*60*1e9)) // something to look at it for
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.ObservedGeneration).To(Equal(session.Generation))
		}).Should(Succeed())
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive))
	})

	It("may be debugged by two sessions at once", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		one, two := active(ctx, node, namespace, "one", pod), active(ctx, node, namespace, "two", pod)
		Expect(one.Status.Debugger.ContainerName).NotTo(Equal(two.Status.Debugger.ContainerName))
		edit(ctx, one, fixture.End)
		endsAs(ctx, one, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		refreshed(ctx, Default, two)
		Expect(two.Status.Phase).To(Equal(v1alpha1.PhaseActive))
		refreshed(ctx, Default, pod)
		Expect(pod.Spec.EphemeralContainers).To(HaveLen(2))
	})

	DescribeTable("may be a pod of a workload", func(ctx SpecContext, kind string,
		workload func(metav1.ObjectMeta, *metav1.LabelSelector, corev1.PodTemplateSpec) client.Object) {
		labels := map[string]string{"app": "shop"}
		meta := metav1.ObjectMeta{Namespace: namespace, Name: "shop"}
		template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{{Name: "app", Image: "app:1"}}}}
		session := create(ctx, namespace, "hang", fixture.OfWorkload(kind, "shop"), func(s *v1alpha1.DebugSession) {
			if kind == "Job" {
				s.Spec.Target.Workload.APIVersion = "batch/v1"
			}
		})
		reaches(ctx, session, v1alpha1.PhasePending)
		Expect(said(session)).To(ContainSubstring(`there is no ` + kind + ` "shop"`))
		edit(ctx, session, fixture.End)

		Expect(k8s.Create(ctx, workload(meta, &metav1.LabelSelector{MatchLabels: labels}, template))).To(Succeed())
		runningPod(ctx, namespace, "other")
		pod := runningPod(ctx, namespace, "shop-0", func(p *corev1.Pod) { p.Labels = labels })
		session = create(ctx, namespace, "again", fixture.OfWorkload(kind, "shop"), func(s *v1alpha1.DebugSession) {
			if kind == "Job" {
				s.Spec.Target.Workload.APIVersion = "batch/v1"
			}
		})
		injected(ctx, session, pod)
		Expect(session.Status.Target.Choice).To(ContainSubstring("shop-0 of 1 pods"))
	},
		Entry("Deployment", "Deployment", func(m metav1.ObjectMeta, s *metav1.LabelSelector, t corev1.PodTemplateSpec) client.Object {
			return &appsv1.Deployment{ObjectMeta: m, Spec: appsv1.DeploymentSpec{Selector: s, Template: t}}
		}),
		Entry("StatefulSet", "StatefulSet", func(m metav1.ObjectMeta, s *metav1.LabelSelector, t corev1.PodTemplateSpec) client.Object {
			return &appsv1.StatefulSet{ObjectMeta: m, Spec: appsv1.StatefulSetSpec{Selector: s, Template: t}}
		}),
		Entry("DaemonSet", "DaemonSet", func(m metav1.ObjectMeta, s *metav1.LabelSelector, t corev1.PodTemplateSpec) client.Object {
			return &appsv1.DaemonSet{ObjectMeta: m, Spec: appsv1.DaemonSetSpec{Selector: s, Template: t}}
		}),
		Entry("Job", "Job", func(m metav1.ObjectMeta, s *metav1.LabelSelector, t corev1.PodTemplateSpec) client.Object {
			t.Spec.RestartPolicy = corev1.RestartPolicyNever
			return &batchv1.Job{ObjectMeta: m, Spec: batchv1.JobSpec{Selector: s, Template: t, ManualSelector: new(true)}}
		}),
	)

	DescribeTable("is picked among several", func(ctx SpecContext, pick v1alpha1.Pick, wanted string) {
		labels := map[string]string{"app": "shop"}
		for _, name := range []string{"a-ready", "b-sick", "c-ready"} { // of one age, but for the clock: whole seconds
			pod := runningPod(ctx, namespace, name, func(p *corev1.Pod) { p.Labels = labels })
			if name != "b-sick" {
				setStatus(ctx, pod, func(p *corev1.Pod) {
					p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
				})
			}
		}
		session := create(ctx, namespace, "hang", fixture.OfSelector(labels), fixture.Pick(pick))
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Target).NotTo(BeNil())
			g.Expect(session.Status.Target.PodUID).NotTo(BeEmpty())
		}).Should(Succeed())
		Expect(session.Status.Target.PodName).To(HaveSuffix(wanted))
	},
		Entry("the sick one first", v1alpha1.Pick(""), "-sick"),
		Entry("Unhealthy", v1alpha1.PickUnhealthy, "-sick"),
		Entry("Ready", v1alpha1.PickReady, "-ready"),
	)
})

func asItIs(*v1alpha1.DebugSession) {}

func unchanged(SpecContext, *corev1.Pod) {}

func container(name string) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = name }
}

func finishAs(phase corev1.PodPhase) func(SpecContext, *corev1.Pod) {
	return func(ctx SpecContext, pod *corev1.Pod) { setStatus(ctx, pod, fixture.Finished(phase, "", "")) }
}

// edit changes a session as somebody does who may.
func edit(ctx context.Context, session *v1alpha1.DebugSession, change fixture.SessionOption) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		refreshed(ctx, g, session)
		base := session.DeepCopy()
		change(session)
		g.Expect(k8s.Patch(ctx, session, client.MergeFrom(base))).To(Succeed())
	}).Should(Succeed())
}
