package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// create creates a session of the class that allows everything.
func create(ctx context.Context, namespace, name string, options ...fixture.SessionOption) *v1alpha1.DebugSession {
	GinkgoHelper()
	session := asked(namespace, name, options...)
	Expect(k8s.Create(ctx, session)).To(Succeed())
	return session
}

// reaches waits until the session is in that phase, and refreshes it.
func reaches(ctx context.Context, session *v1alpha1.DebugSession, wanted v1alpha1.Phase) {
	GinkgoHelper()
	Eventually(phase(ctx, session)).Should(Equal(wanted), func() string { return "it says: " + said(session) })
}

// endsAs waits until the session has ended like this, and has let go of its finalizer.
func endsAs(ctx context.Context, session *v1alpha1.DebugSession, outcome v1alpha1.Outcome, reason string) {
	GinkgoHelper()
	reaches(ctx, session, v1alpha1.PhaseEnded)
	Expect(session.Status.Outcome).To(Equal(outcome), said(session))
	Expect(session.Status.Reason).To(Equal(reason), said(session))
	Eventually(func(g Gomega) {
		refreshed(ctx, g, session)
		g.Expect(session.Finalizers).To(BeEmpty())
	}).Should(Succeed())
}

// endsOrGoes waits until the session has ended so and is let go, or is gone.
func endsOrGoes(ctx context.Context, session *v1alpha1.DebugSession, outcome v1alpha1.Outcome) {
	GinkgoHelper()
	key := client.ObjectKeyFromObject(session)
	Eventually(func(g Gomega) {
		err := k8s.Get(ctx, key, session)
		g.Expect(client.IgnoreNotFound(err)).To(Succeed())
		g.Expect(err != nil || session.Status.Outcome == outcome && len(session.Finalizers) == 0).To(BeTrue(), said(session))
	}).Should(Succeed())
}

// onTime holds of a session that ended not long after its end, for a machine that has much else to do.
func onTime(session *v1alpha1.DebugSession) {
	GinkgoHelper()
	Expect(session.Status.EndedAt.Sub(session.Status.ExpiresAt.Time)).To(BeNumerically("<", 10*time.Second))
}

// said is the message of the condition that a person looks at first.
func said(session *v1alpha1.DebugSession) string {
	return session.Status.Message()
}

// injected waits until the session's debugger is in the pod's spec.
func injected(ctx context.Context, session *v1alpha1.DebugSession, pod *corev1.Pod) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		refreshed(ctx, g, session)
		g.Expect(session.Status.Debugger).NotTo(BeNil(), said(session))
		refreshed(ctx, g, pod)
		g.Expect(pod.Spec.EphemeralContainers).To(ContainElement(HaveField("Name", session.Status.Debugger.ContainerName)), said(session))
	}).Should(Succeed())
}

// active creates a session on the pod and has its debugger run.
func active(ctx context.Context, node *kubelet, namespace, name string, pod *corev1.Pod,
	options ...fixture.SessionOption) *v1alpha1.DebugSession {
	GinkgoHelper()
	session := create(ctx, namespace, name, append([]fixture.SessionOption{fixture.Of(pod.Name)}, options...)...)
	if session.Spec.Mode == v1alpha1.ModePodCopy {
		made := copied(ctx, session)
		Expect(node.set(ctx, made, session.Status.Debugger.ContainerName, running())).To(Succeed())
	} else {
		injected(ctx, session, pod)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, running())).To(Succeed())
	}
	reaches(ctx, session, v1alpha1.PhaseActive)
	return session
}

// copied waits until the session's copy is there.
func copied(ctx context.Context, session *v1alpha1.DebugSession) *corev1.Pod {
	GinkgoHelper()
	made := &corev1.Pod{}
	Eventually(func(g Gomega) {
		refreshed(ctx, g, session)
		g.Expect(session.Status.Debugger).NotTo(BeNil(), said(session))
		g.Expect(k8s.Get(ctx, types.NamespacedName{Namespace: session.Namespace, Name: session.Status.Debugger.PodName}, made)).
			To(Succeed(), said(session))
	}).Should(Succeed())
	return made
}

// isGone waits until the object is.
func isGone(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(object), object) }).
		Should(MatchError(ContainSubstring("not found")))
}
