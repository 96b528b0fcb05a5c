package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("a workload that has no pods", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	there := func(ctx context.Context, manifest string) *unstructured.Unstructured {
		GinkgoHelper()
		o := object(manifest)
		o.SetNamespace(namespace)
		Expect(k8s.Create(ctx, o)).To(Succeed())
		return o
	}
	deployment := func(ctx context.Context, replicas string) *unstructured.Unstructured {
		return there(ctx, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {replicas: `+replicas+`, selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: app, image: "app:1"}]}}}}`)
	}
	of := func(apiVersion, kind string) fixture.SessionOption {
		return func(s *v1alpha1.DebugSession) {
			s.Spec.Target = v1alpha1.Target{Workload: &v1alpha1.Workload{APIVersion: apiVersion, Kind: kind, Name: "shop"}}
		}
	}

	DescribeTable("is copied by its pod template, and the copy ends as any", func(ctx SpecContext, manifest string, more func(*corev1.Pod)) {
		workload := there(ctx, manifest)
		session := create(ctx, namespace, "hang", of(workload.GetAPIVersion(), workload.GetKind()), fixture.AsCopy())
		made := copied(ctx, session)
		Expect(session.Status.Target.WorkloadUID).To(Equal(workload.GetUID()))
		Expect(session.Status.Target.PodName).To(BeEmpty())
		Expect(session.Status.Target.Choice).To(ContainSubstring(`the pod template of ` + workload.GetKind() + ` "shop"`))
		Expect(made.Labels).To(Equal(map[string]string{v1alpha1.LabelSessionUID: string(session.UID)}))
		Expect(metav1.IsControlledBy(made, session)).To(BeTrue())
		Expect(made.Spec.ActiveDeadlineSeconds).NotTo(BeNil())
		Expect(made.Spec.Containers).To(HaveExactElements(
			And(HaveField("Name", "app"), HaveField("Image", "app:1")), HaveField("Name", session.Status.Debugger.ContainerName)))
		more(made)

		Expect(node.set(ctx, made, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)
		Expect(k8s.Delete(ctx, workload)).To(Succeed()) // which it needs no more
		edit(ctx, session, fixture.End)
		isGone(ctx, made)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	},
		Entry("a Deployment", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {replicas: 0, selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: app, image: "app:1"}]}}}}`, func(*corev1.Pod) {}),
		Entry("a StatefulSet, with its claims", `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: shop}, spec: {replicas: 0, serviceName: shop,
  selector: {matchLabels: {app: shop}},
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}],
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: app, image: "app:1", volumeMounts: [{name: data, mountPath: /data}]}]}}}}`,
			func(made *corev1.Pod) {
				Expect(made.Spec.Hostname).To(Equal("shop-0"))
				Expect(made.Spec.Volumes).To(ContainElement(And(HaveField("Name", "data"),
					HaveField("PersistentVolumeClaim", HaveValue(HaveField("ClaimName", "data-shop-0"))))))
			}),
		Entry("a CronJob", `{apiVersion: batch/v1, kind: CronJob, metadata: {name: shop}, spec: {schedule: "0 3 * * *",
  jobTemplate: {spec: {template: {spec: {restartPolicy: OnFailure, containers: [{name: app, image: "app:1"}]}}}}}}`,
			func(made *corev1.Pod) { Expect(made.Spec.RestartPolicy).To(Equal(corev1.RestartPolicyOnFailure)) }),
		Entry("a Job that is suspended", `{apiVersion: batch/v1, kind: Job, metadata: {name: shop}, spec: {suspend: true,
  template: {spec: {restartPolicy: Never, containers: [{name: app, image: "app:1"}]}}}}`, func(*corev1.Pod) {}),
	)

	It("is waited for if it wants some, and its pod is copied then", func(ctx SpecContext) {
		deployment(ctx, "1")
		session := create(ctx, namespace, "hang", of("apps/v1", "Deployment"), fixture.AsCopy())
		Eventually(func(g Gomega) string { _ = phase(ctx, session)(g); return said(session) }).
			Should(ContainSubstring(`Deployment "shop" has no pods`))
		Expect(session.Status.Target).To(BeNil())
	})

	It("tells who would join one of its pods of the mode that needs none", func(ctx SpecContext) {
		deployment(ctx, "0")
		session := create(ctx, namespace, "hang", of("apps/v1", "Deployment"))
		Eventually(func(g Gomega) string { _ = phase(ctx, session)(g); return said(session) }).
			Should(ContainSubstring("use mode: PodCopy, which copies its pod template"))
	})

	It("is shown to its approvers, and is not started once it was edited", func(ctx SpecContext) {
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1}
		})
		workload := deployment(ctx, "0")
		session := create(ctx, namespace, "hang", of("apps/v1", "Deployment"), fixture.AsCopy(),
			func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class.Name })
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(string(session.Status.Request.Preview.Raw)).To(ContainSubstring(`"image":"app:1"`))

		Expect(k8s.Patch(ctx, workload, mergePatch(
			`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"app:2"}]}}}}`))).To(Succeed())
		mayEdit(ctx, namespace, "bob")
		may(ctx, namespace, "bob", v1alpha1.VerbApprove, class.Name)
		bob := newPerson("bob")
		Eventually(func() error { return bob.Create(ctx, newApproval(namespace, "yes", "hang")) }).Should(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetChanged)
	})
})
