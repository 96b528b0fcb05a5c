package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

func newSession(namespace, name, target string) *v1alpha1.DebugSession {
	return &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.DebugSessionSpec{
			Target:   v1alpha1.Target{PodName: target},
			Debugger: v1alpha1.Debugger{Image: "busybox:1.36", Command: []string{"sh"}, Stdin: true, TTY: true},
		},
	}
}

func refreshed(ctx context.Context, g Gomega, object client.Object) {
	g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
}

func phase(ctx context.Context, session *v1alpha1.DebugSession) func(Gomega) v1alpha1.Phase {
	return func(g Gomega) v1alpha1.Phase {
		refreshed(ctx, g, session)
		return session.Status.Phase
	}
}

var _ = Describe("the main path", func() {
	var namespace string
	var node *kubelet

	BeforeEach(func(ctx SpecContext) {
		node = &kubelet{}
		namespace = newNamespace(ctx, nil)
		startOperator(node)
	})

	It("injects an ephemeral container, and ends it at its time", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		session := newSession(namespace, "hang", "web")
		session.Spec.TTL = &metav1.Duration{Duration: 10 * time.Second}
		Expect(k8s.Create(ctx, session)).To(Succeed())

		Eventually(func(g Gomega) {
			refreshed(ctx, g, pod)
			g.Expect(pod.Spec.EphemeralContainers).To(HaveLen(1))
		}).Should(Succeed())
		debugger := pod.Spec.EphemeralContainers[0]
		Expect(debugger.TargetContainerName).To(Equal("app"))

		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseStarting))
		Expect(node.set(ctx, pod, debugger.Name, running())).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseActive))
		Expect(session.Status.Attach).To(Equal("kubectl attach -it -n " + namespace + " web -c " + debugger.Name))
		Expect(session.Status.Debugger.ImageID).NotTo(BeEmpty())

		Expect(session.Status.Debugger.Deadline).To(Equal(session.Status.ExpiresAt))
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseEnded))
		Expect(session.Status.Outcome).To(Equal(v1alpha1.OutcomeExpired))
		Expect(session.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByDeadline))
		Expect(node.executed(session)()).To(BeZero())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Finalizers).To(BeEmpty())
		}).Should(Succeed())
	})

	It("makes a copy, and deletes it at its time", func(ctx SpecContext) {
		runningPod(ctx, namespace, "web")
		session := newSession(namespace, "copy", "web")
		session.Spec.Mode = v1alpha1.ModePodCopy
		session.Spec.TTL = &metav1.Duration{Duration: 10 * time.Second}
		Expect(k8s.Create(ctx, session)).To(Succeed())

		made := &corev1.Pod{}
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Debugger).NotTo(BeNil())
			g.Expect(k8s.Get(ctx, types.NamespacedName{Namespace: namespace, Name: session.Status.Debugger.PodName}, made)).To(Succeed())
		}).Should(Succeed())
		Expect(node.set(ctx, made, session.Status.Debugger.ContainerName, running())).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseActive))

		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseEnded))
		Expect(session.Status.Outcome).To(Equal(v1alpha1.OutcomeExpired))
		Expect(apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(made), made))).To(BeTrue())
	})
})
