package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
)

var _ = Describe("a clock that is set, or a machine that slept", Ordered, func() {
	node := &kubelet{}
	clock := testclock.NewFakeClock(time.Now())

	BeforeAll(func(ctx SpecContext) {
		startOperator(node, func(_ *manager.Options, own *operator.Options) { own.Clock = clock })
		createAnything(ctx)
	})

	It("does not put off the end of a session", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		clock.SetTime(session.Status.ExpiresAt.Add(time.Second))
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		nothingLeft(ctx, namespace)
	})
})
