package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// What somebody in a hurry gets wrong that only the pod tells. The field, the value and what there is instead are named.
var _ = Describe("a slip of the pen", Ordered, ContinueOnFailure, func() {
	var namespace string

	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	quiesced := func(entries ...v1alpha1.QuiescedContainer) fixture.SessionOption {
		return fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Quiesce = entries })
	}

	DescribeTable("is answered at once", func(ctx SpecContext, slip fixture.SessionOption, says string) {
		runningPod(ctx, namespace, "web", func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "migrate:1"}}
		})
		session := create(ctx, namespace, "hang", fixture.Of("web"), slip)
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonInvalid)
		Expect(said(session)).To(HavePrefix(says))
	},
		Entry("in mountsFrom", func(s *v1alpha1.DebugSession) { s.Spec.Debugger.MountsFrom = "ap" },
			`spec.debugger.mountsFrom: pod web has no container or init container "ap": use one of app, proxy, migrate`),
		Entry("in debugger.container", func(s *v1alpha1.DebugSession) {
			fixture.AsCopy()(s)
			s.Spec.Debugger = v1alpha1.Debugger{Container: "ap"}
		}, `spec.debugger.container: pod web has no container or init container "ap": use one of app, proxy, migrate`),
		Entry("in quiesce", quiesced(v1alpha1.QuiescedContainer{Name: "app"}, v1alpha1.QuiescedContainer{Name: "prox"}),
			`spec.podCopy.quiesce[1].name: pod web has no container or init container "prox": use one of app, proxy, migrate`),
		Entry("in quiesce, of what the copy would wait for", quiesced(v1alpha1.QuiescedContainer{Name: "migrate"}),
			`spec.podCopy.quiesce[0].name: "migrate" is an init container, and the copy would wait for it forever: `+
				`leave InitContainers out of spec.podCopy.keep`),
		Entry("in podCopy.containers", fixture.AsCopy(func(c *v1alpha1.PodCopy) {
			c.Containers = []v1alpha1.ContainerChange{{Name: "web", Image: "web:debug"}}
		}), `spec.podCopy.containers[0].name: pod web has no container or init container "web": use one of app, proxy, migrate`),
		Entry("in podCopy.containers, of what is not kept", fixture.AsCopy(func(c *v1alpha1.PodCopy) {
			c.Keep, c.Containers = []v1alpha1.Keep{}, []v1alpha1.ContainerChange{{Name: "migrate", Image: "migrate:debug"}}
		}), `spec.podCopy.containers[0].name: init container "migrate" is not copied: add InitContainers to spec.podCopy.keep`),
	)

	It("is waited for where a pod may yet come, and what was looked for is said", func(ctx SpecContext) {
		session := create(ctx, namespace, "hang", fixture.OfSelector(map[string]string{"app": "wbe"}))
		reaches(ctx, session, v1alpha1.PhasePending)
		Expect(said(session)).To(HavePrefix("no pod matches spec.target.selector (app=wbe)"))
	})
})
