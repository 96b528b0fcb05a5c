package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("the target's environment", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	ofSecret := corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password",
	}}
	ofConfigMap := corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "app"}, Key: "level",
	}}
	configured := func(p *corev1.Pod) {
		app := &p.Spec.Containers[0]
		app.Env = []corev1.EnvVar{
			{Name: "PLAIN", Value: "$(PASSWORD)"},
			{Name: "PASSWORD", ValueFrom: &ofSecret},
			{Name: "LEVEL", ValueFrom: &ofConfigMap},
			{Name: "IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
			{Name: "CPU", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}}},
		}
		app.EnvFrom = []corev1.EnvFromSource{{
			Prefix: "ALL_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}},
		}}
	}

	DescribeTable("is the debugger's too, and no value of it is read", func(ctx SpecContext, mode ...fixture.SessionOption) {
		pod := runningPod(ctx, namespace, "web", configured)
		wants := func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.EnvFromTarget = true
			s.Spec.Debugger.Env = []corev1.EnvVar{{Name: "LEVEL", Value: "debug"}}
		}
		session := active(ctx, node, namespace, "hang", pod, append(mode, wants)...)
		var debugger *corev1.Container
		if session.Spec.Mode == v1alpha1.ModePodCopy {
			made := copied(ctx, session)
			debugger = &made.Spec.Containers[len(made.Spec.Containers)-1]
		} else {
			refreshed(ctx, Default, pod)
			debugger = (*corev1.Container)(&pod.Spec.EphemeralContainers[0].EphemeralContainerCommon)
		}
		Expect(debugger.Name).To(Equal(session.Status.Debugger.ContainerName))
		for _, variable := range pod.Spec.Containers[0].Env {
			switch variable.Name {
			case "LEVEL":
				variable = corev1.EnvVar{Name: "LEVEL", Value: "debug"}
			case "CPU":
				variable.ValueFrom.ResourceFieldRef.ContainerName = pod.Spec.Containers[0].Name
			}
			Expect(debugger.Env).To(ContainElement(variable))
		}
		Expect(debugger.EnvFrom).To(Equal(pod.Spec.Containers[0].EnvFrom))
	},
		Entry("in an ephemeral container"),
		Entry("in a copy", fixture.AsCopy()),
	)

	It("is shown to approvers without its values", func(ctx SpecContext) {
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.AllowTargetEnvironment, c.Spec.Approval = true, &v1alpha1.ApprovalPolicy{Required: 1}
		})
		runningPod(ctx, namespace, "web", configured)
		session := create(ctx, namespace, "hang", fixture.Of("web"), func(s *v1alpha1.DebugSession) {
			s.Spec.ClassName, s.Spec.Debugger.EnvFromTarget = class.Name, true
		})
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(session.Status.Request.Hidden).To(ContainElement(HaveField("Env", ContainElement("PLAIN"))))
		Expect(string(session.Status.Request.Preview.Raw)).To(And(
			ContainSubstring(`{"name":"PLAIN","value":"(hidden)"}`), ContainSubstring(`"secretKeyRef":{"key":"password","name":"db"}`)))
	})
})
