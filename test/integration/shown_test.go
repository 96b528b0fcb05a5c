package integration

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("what an approver is shown", Ordered, ContinueOnFailure, func() {
	var alice, bob, mallory *person
	var namespace, class string
	var pod *corev1.Pod
	var session *v1alpha1.DebugSession

	BeforeAll(func() {
		startOperator(&kubelet{})
		alice, bob, mallory = newPerson("alice"), newPerson("bob"), newPerson("mallory")
	})
	BeforeEach(func(ctx SpecContext) {
		namespace, class = cast(ctx, "mallory")
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval, c.Spec.AllowUnstoppable = &v1alpha1.ApprovalPolicy{Required: 1}, true
		})
		pod = runningPod(ctx, namespace, "web")
		session = newSession(namespace, "hang", "web")
		session.Spec.ClassName = class
	})
	ask := func(ctx context.Context, preview any) {
		GinkgoHelper()
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(json.Unmarshal(session.Status.Request.Preview.Raw, preview)).To(Succeed())
	}

	It("is all of a command, also of one that looks like what is left out", func(ctx SpecContext) {
		command := []string{"sh", "-c", "steal", "debugsession", "--", "sh", "--", "sh"}
		session.Spec.Debugger.Command, session.Spec.Debugger.Unstoppable = command, true
		var container corev1.EphemeralContainer
		ask(ctx, &container)
		Expect(container.Command).To(Equal(command))
	})

	It("is the session's own command, without what ends it", func(ctx SpecContext) {
		command := []string{"sh", "-c", "look", "debugsession", "--", "sh"}
		session.Spec.Debugger.Command = command
		var container corev1.EphemeralContainer
		ask(ctx, &container)
		Expect(container.Command).To(Equal(command))
	})

	It("is the container that is joined, or the session ends", func(ctx SpecContext) {
		var container corev1.EphemeralContainer
		ask(ctx, &container)
		Expect(container.TargetContainerName).To(Equal("app"))
		Expect(mallory.Patch(ctx, pod.DeepCopy(),
			mergePatch(`{"metadata":{"annotations":{"kubectl.kubernetes.io/default-container":"proxy"}}}`))).To(Succeed())
		Expect(bob.Create(ctx, newApproval(namespace, "yes", "hang"))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetChanged)
		refreshed(ctx, Default, pod)
		Expect(pod.Spec.EphemeralContainers).To(BeEmpty())
	})

	It("is the copy that is made, or the session ends", func(ctx SpecContext) {
		session.Spec.Mode = v1alpha1.ModePodCopy
		var copied corev1.Pod
		ask(ctx, &copied)
		Expect(copied.Spec.Containers[0].Image).To(Equal("app:1"))
		Expect(mallory.Patch(ctx, pod.DeepCopy(), client.RawPatch("application/strategic-merge-patch+json",
			[]byte(`{"spec":{"containers":[{"name":"app","image":"stealing:1"}]}}`)))).To(Succeed())
		Expect(bob.Create(ctx, newApproval(namespace, "yes", "hang"))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetChanged)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(&copied), &copied)).To(MatchError(ContainSubstring("not found")))
	})

	It("is no value that the session does not give; it is made with all of them", func(ctx SpecContext) {
		pod = runningPod(ctx, namespace, "vault", func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PASSWORD", Value: "s3cret"}, {Name: "LEVEL", Value: "s3cret"}}
			p.Spec.InitContainers = []corev1.Container{
				{Name: "migrate", Image: "migrate:1", Env: []corev1.EnvVar{{Name: "DSN", Value: "s3cret"}}},
			}
		})
		session.Spec.Target.PodName, session.Spec.Mode = "vault", v1alpha1.ModePodCopy
		session.Spec.PodCopy = &v1alpha1.PodCopy{
			Containers: []v1alpha1.ContainerChange{{Name: "app", Env: []corev1.EnvVar{{Name: "LEVEL", Value: "debug"}}}},
		}
		session.Spec.Debugger.Env = []corev1.EnvVar{{Name: "MINE", Value: "1"}}
		var preview corev1.Pod
		ask(ctx, &preview)
		Expect(preview.Spec.Containers[0].Env).
			To(Equal([]corev1.EnvVar{{Name: "PASSWORD", Value: "(hidden)"}, {Name: "LEVEL", Value: "debug"}}))
		Expect(session.Status.Request.Hidden).To(ConsistOf(
			v1alpha1.HiddenValues{Container: "app", Env: []string{"PASSWORD"}},
			v1alpha1.HiddenValues{Container: "migrate", Env: []string{"DSN"}}))
		Expect(meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionAdmissible).Message).
			To(HaveSuffix("(" + string(pod.UID) + "): see status.request.preview, " +
				"without the values that status.request.hidden lists; the hash covers them"))
		out, _, err := kubectl(alice, "", "get", "dbg", "-n", namespace, "-o", "yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).NotTo(ContainSubstring("s3cret"))

		By("being made with the true values")
		Expect(bob.Create(ctx, newApproval(namespace, "yes", "hang"))).To(Succeed())
		made := copied(ctx, session)
		Expect(made.Spec.Containers[0].Env).To(Equal([]corev1.EnvVar{{Name: "PASSWORD", Value: "s3cret"}, {Name: "LEVEL", Value: "debug"}}))
		Expect(made.Spec.InitContainers[0].Env[0].Value).To(Equal("s3cret"))
	})

	It("is no value that a label gave, and a change of that ends the session", func(ctx SpecContext) {
		pod = runningPod(ctx, namespace, "indexed", func(p *corev1.Pod) {
			p.Labels["tenant"] = "acme"
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "TENANT", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['tenant']"},
			}}}
		})
		session.Spec.Target.PodName, session.Spec.Mode = "indexed", v1alpha1.ModePodCopy
		var preview corev1.Pod
		ask(ctx, &preview)
		Expect(preview.Spec.Containers[0].Env).To(Equal([]corev1.EnvVar{{Name: "TENANT", Value: "(hidden)"}}))
		Expect(mallory.Patch(ctx, pod.DeepCopy(), mergePatch(`{"metadata":{"labels":{"tenant":"other"}}}`))).To(Succeed())
		Expect(bob.Create(ctx, newApproval(namespace, "yes", "hang"))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetChanged)
	})

	It("is made though its target was touched in what is not copied", func(ctx SpecContext) {
		session.Spec.Mode = v1alpha1.ModePodCopy
		var preview corev1.Pod
		ask(ctx, &preview)
		Expect(mallory.Patch(ctx, pod.DeepCopy(), mergePatch(`{"metadata":{"annotations":{"a":"b"},"labels":{"a":"b"}}}`))).To(Succeed())
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseAwaitingApproval))
		Expect(bob.Create(ctx, newApproval(namespace, "yes", "hang"))).To(Succeed())
		made := copied(ctx, session)
		Expect(made.Spec.Containers).To(HaveExactElements(
			HaveField("Image", preview.Spec.Containers[0].Image), HaveField("Image", preview.Spec.Containers[1].Image),
			HaveField("Image", preview.Spec.Containers[2].Image)))
	})
})
