package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
)

var _ = Describe("an operator whose clock is set", Ordered, ContinueOnFailure, func() {
	node := &kubelet{}
	clock := testclock.NewFakeClock(time.Now())

	BeforeAll(func(ctx SpecContext) {
		clock.SetTime(time.Now())
		startOperator(node, func(_ *manager.Options, own *operator.Options) { own.Clock = clock })
		createAnything(ctx)
	})

	It("does not put off the end of a session, as after its machine slept", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		clock.SetTime(session.Status.ExpiresAt.Add(time.Second))
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		nothingLeft(ctx, namespace)
	})

	// A tool that finds a manifest without its object applies it again.
	It("starts a new session of a manifest that is applied again before its notAfter, and none afterwards", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "web")
		until := fixture.NotAfter(clock.Now().Add(time.Hour))
		first := active(ctx, node, namespace, "hang", pod, until)
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		isGone(ctx, first)

		second := active(ctx, node, namespace, "hang", pod, until)
		Expect(second.Status.Debugger.ContainerName).NotTo(Equal(first.Status.Debugger.ContainerName))
		Expect(second.Status.HardDeadline.Time).To(BeTemporally("<=", second.Spec.NotAfter.Time))
		Expect(k8s.Delete(ctx, second)).To(Succeed())
		isGone(ctx, second)

		clock.Step(time.Hour)
		third := create(ctx, namespace, "hang", fixture.Of("web"), until)
		endsAs(ctx, third, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		Expect(third.Status.StartedAt).To(BeNil())
		refreshed(ctx, Default, pod)
		Expect(pod.Spec.EphemeralContainers).To(HaveLen(2))
		nothingLeft(ctx, namespace)
	})
})
