package integration

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("a volume claim and an image", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	// bound is claim data with a volume, as far as the API server knows.
	bound := func(ctx context.Context, modes ...corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
		GinkgoHelper()
		claim := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "data"},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: modes, VolumeName: "pv-" + namespace,
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			},
		}
		Expect(k8s.Create(ctx, claim)).To(Succeed())
		claim.Status.Phase = corev1.ClaimBound
		Expect(k8s.Status().Update(ctx, claim)).To(Succeed())
		return claim
	}
	// user is a pod that mounts claim data on a node.
	user := func(ctx context.Context) *corev1.Pod {
		GinkgoHelper()
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "db-0"},
			Spec: corev1.PodSpec{
				NodeName:   "node-7",
				Containers: []corev1.Container{{Name: "db", Image: "db:1"}},
				Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}},
			},
		}
		Expect(k8s.Create(ctx, pod)).To(Succeed())
		return pod
	}

	It("is debugged in a pod that has nothing else, where it is mounted, and that ends as any", func(ctx SpecContext) {
		claim := bound(ctx, corev1.ReadWriteOnce)
		user(ctx)
		session := create(ctx, namespace, "look", fixture.OfClaim("data"))
		made := copied(ctx, session)
		Expect(session.Status.Target).To(HaveValue(And(
			HaveField("Name", "pvc/data"), HaveField("ClaimUID", claim.UID), HaveField("NodeName", "node-7"), HaveField("PodName", ""))))
		Expect(made.Spec.NodeName).To(Equal("node-7"))
		Expect(metav1.IsControlledBy(made, session)).To(BeTrue())
		Expect(made.Spec.ActiveDeadlineSeconds).NotTo(BeNil())
		Expect(made.Spec.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
		Expect(made.Spec.Volumes).To(HaveExactElements(HaveField("PersistentVolumeClaim",
			HaveValue(Equal(corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data", ReadOnly: true})))))
		Expect(made.Spec.Containers).To(HaveExactElements(HaveField("VolumeMounts",
			HaveExactElements(And(HaveField("MountPath", "/mnt"), HaveField("ReadOnly", true))))))

		Expect(node.set(ctx, made, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)
		edit(ctx, session, fixture.End)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, made)
			g.Expect(made.DeletionTimestamp).NotTo(BeNil())
		}).Should(Succeed())
		vanish(ctx, made)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	})

	It("is waited for", func(ctx SpecContext) {
		session := create(ctx, namespace, "look", fixture.OfClaim("data"))
		Eventually(func(g Gomega) string { _ = phase(ctx, session)(g); return said(session) }).
			Should(ContainSubstring(`there is no PersistentVolumeClaim "data"`))
		Expect(session.Status.Target).To(HaveValue(HaveField("Name", "pvc/data")))
	})

	It("is refused while it is mounted by the one pod that can, and while it is being deleted", func(ctx SpecContext) {
		claim := bound(ctx, corev1.ReadWriteOncePod)
		pod := user(ctx)
		endsAs(ctx, create(ctx, namespace, "used", fixture.OfClaim("data")), v1alpha1.OutcomeRejected, v1alpha1.ReasonClaimInUse)

		vanish(ctx, pod)
		Expect(k8s.Delete(ctx, claim)).To(Succeed()) // and admission has protected it
		endsAs(ctx, create(ctx, namespace, "going", fixture.OfClaim("data")), v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetTerminating)
		Expect(k8s.Patch(ctx, claim, mergePatch(`{"metadata":{"finalizers":null}}`))).To(Succeed())
	})

	DescribeTable("is for classes that say so", func(ctx SpecContext, of fixture.SessionOption, says string) {
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) { c.Spec.AllowVolumes = true })
		session := fixture.Session(fixture.Unsent(namespace, "look"), of, func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class.Name })
		Eventually(func() error { return k8s.Create(ctx, session.DeepCopy(), client.DryRunAll) }).Should(MatchError(And(
			ContainSubstring(fmt.Sprintf("class %q: %s", class.Name, says)), ContainSubstring("ask an administrator to set the class's"))))
	},
		Entry("a claim", fixture.OfClaim("data"), "spec.target.volumeClaim: debugging a PersistentVolumeClaim is not allowed"),
		Entry("an image", fixture.OfImage("server:v1"), "spec.target.image: debugging an image is not allowed"),
	)

	It("is approved by its UID, and another of its name is not debugged", func(ctx SpecContext) {
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval, c.Spec.VolumeClaims = &v1alpha1.ApprovalPolicy{Required: 1}, &v1alpha1.VolumeClaimPolicy{}
		})
		claim := bound(ctx, corev1.ReadWriteMany)
		session := create(ctx, namespace, "look", fixture.OfClaim("data"), func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class.Name })
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(string(session.Status.Request.Preview.Raw)).To(ContainSubstring(`"claimName":"data"`))
		Expect(session.Status.Target.ClaimUID).To(Equal(claim.UID))

		Expect(k8s.Patch(ctx, claim, mergePatch(`{"metadata":{"finalizers":null}}`))).To(Succeed())
		Expect(k8s.Delete(ctx, claim)).To(Succeed())
		isGone(ctx, claim)
		bound(ctx, corev1.ReadWriteMany)
		mayEdit(ctx, namespace, "bob")
		may(ctx, namespace, "bob", v1alpha1.VerbApprove, class.Name)
		bob := newPerson("bob")
		Eventually(func() error { return bob.Create(ctx, newApproval(namespace, "yes", "look")) }).Should(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone))
	})

	It("is run beside the debugger, as restricted as that, if it is an image", func(ctx SpecContext) {
		session := create(ctx, namespace, "look", fixture.OfImage("server:v1"), func(s *v1alpha1.DebugSession) {
			s.Spec.Profile = v1alpha1.ProfileRestricted
			s.Spec.PodCopy = &v1alpha1.PodCopy{Containers: []v1alpha1.ContainerChange{{Name: "app", Command: []string{"sleep", "infinity"}}}}
		})
		made := copied(ctx, session)
		Expect(session.Status.Target.Image).To(Equal("docker.io/library/server:v1"))
		Expect(made.Spec.Containers).To(HaveExactElements(
			And(HaveField("Name", "app"), HaveField("Image", "docker.io/library/server:v1"), HaveField("Command", HaveExactElements("sleep", "infinity")),
				HaveField("SecurityContext.RunAsNonRoot", HaveValue(BeTrue()))),
			HaveField("Name", session.Status.Debugger.ContainerName)))
		Expect(made.Spec.ShareProcessNamespace).To(HaveValue(BeTrue()))
		Expect(made.Spec.Volumes).To(BeEmpty())
		edit(ctx, session, fixture.End)
		isGone(ctx, made)
	})
})
