package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
)

var _ = Describe("the record of an ended session", Ordered, func() {
	node := &kubelet{}
	clock := testclock.NewFakeClock(time.Now())

	BeforeAll(func(ctx SpecContext) {
		clock.SetTime(time.Now())
		startOperator(node, func(_ *manager.Options, own *operator.Options) { own.Clock = clock })
		createAnything(ctx)
	})

	// look has the operator look again: its timers go by a clock that is not the fake one.
	look := func(ctx SpecContext, session *v1alpha1.DebugSession) error {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"looked":"`+clock.Now().String()+`"}}}`))
		return k8s.Patch(ctx,
			&v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: session.Namespace, Name: session.Name}}, patch)
	}

	It("goes when its class's retention has passed, unless a tool would apply it again", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "web")
		keeping := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Retention = &metav1.Duration{Duration: time.Hour} })
		keeping.ObjectMeta = metav1.ObjectMeta{Name: "keeps-an-hour"}
		Expect(k8s.Create(ctx, keeping)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, keeping)).To(Succeed()) })
		ofClass := func(s *v1alpha1.DebugSession) { s.Spec.ClassName = keeping.Name }
		plain := active(ctx, node, namespace, "by-hand", pod, ofClass)
		owned := active(ctx, node, namespace, "by-flux", pod, ofClass, func(s *v1alpha1.DebugSession) {
			s.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "debug"}
		})
		for _, session := range []*v1alpha1.DebugSession{plain, owned} {
			edit(ctx, session, fixture.End)
			endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		}

		clock.Step(59 * time.Minute)
		Expect(look(ctx, plain)).To(Succeed())
		Consistently(func() error {
			return k8s.Get(ctx, client.ObjectKeyFromObject(plain), plain)
		}).WithTimeout(time.Second).Should(Succeed())

		clock.Step(2 * time.Minute)
		Expect(look(ctx, owned)).To(Succeed())
		Expect(look(ctx, plain)).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(plain), plain))
		}).Should(BeTrue())
		Consistently(func() error {
			return k8s.Get(ctx, client.ObjectKeyFromObject(owned), owned)
		}).WithTimeout(time.Second).Should(Succeed())
	})
})
