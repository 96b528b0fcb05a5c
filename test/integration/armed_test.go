package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// shopLabels are those of the pods that armed sessions wait for.
var shopLabels = map[string]string{"app": "shop"}

// ofShop waits for one of them to crash, within an hour.
func ofShop(s *v1alpha1.DebugSession) {
	fixture.OfSelector(shopLabels)(s)
	s.Spec.Target.When = &v1alpha1.When{Crashed: true}
	s.Spec.NotAfter = &metav1.Time{Time: time.Now().Add(time.Hour)}
}

func inShop(p *corev1.Pod) { p.Labels = shopLabels }

// armed waits until the session is.
func armed(ctx context.Context, session *v1alpha1.DebugSession, says string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		refreshed(ctx, g, session)
		g.Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonArmed), said(session))
		g.Expect(said(session)).To(ContainSubstring(says))
	}).Should(Succeed())
}

// crash restarts a pod's container as a kubelet does, a second from now: so it is after whatever was armed before.
func crash(ctx context.Context, pod *corev1.Pod) {
	GinkgoHelper()
	crashAt(ctx, pod, time.Now().Add(time.Second))
}

func crashAt(ctx context.Context, pod *corev1.Pod, at time.Time) {
	GinkgoHelper()
	setStatus(ctx, pod, func(p *corev1.Pod) {
		fixture.ContainerState("app", fixture.Running(at))(p)
		for i := range p.Status.ContainerStatuses {
			if status := &p.Status.ContainerStatuses[i]; status.Name == "app" {
				status.RestartCount, status.LastTerminationState = 1, fixture.Exited(at, 137, "OOMKilled", "")
			}
		}
	})
}

var _ = Describe("a session that waits for a pod to crash", Ordered, ContinueOnFailure, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	It("is started in the first that does, at no cost until then, and in one that came later", func(ctx SpecContext) {
		before := runningPod(ctx, namespace, "shop-0", inShop)
		session := create(ctx, namespace, "night", ofShop)
		armed(ctx, session, "waiting until a pod with app=shop crashes; pods watched: 1")
		Expect(session.Status.Target.Name).To(Equal("app=shop"))

		var so int
		Eventually(func(g Gomega) { // its event was sent
			before := len(requestsFor(namespace))
			look(ctx, session, 1)
			g.Expect(requestsFor(namespace)).To(HaveLen(before))
			so = before
		}).Should(Succeed())
		look(ctx, session, 100)
		Expect(requestsFor(namespace)).To(HaveLen(so))

		pod := runningPod(ctx, namespace, "shop-1", inShop)
		armed(ctx, session, "pods watched: 2")
		crash(ctx, pod)
		injected(ctx, session, pod)
		Expect(session.Status.Target.Choice).To(HavePrefix(`shop-1 crashed: container "app" ended (OOMKilled, exit code 137; restarted once) at `))
		isAsItWas(ctx, before)
	})

	It("is started in the one that is not ready for so long", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "shop-0", inShop)
		session := create(ctx, namespace, "hang", ofShop, func(s *v1alpha1.DebugSession) {
			s.Spec.Target.When = &v1alpha1.When{NotReadyFor: &metav1.Duration{Duration: 10 * time.Second}}
		})
		armed(ctx, session, "has not been ready for 10s; pods watched: 1")
		setStatus(ctx, pod, func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.Now()}}
		})
		Eventually(func(g Gomega) string {
			refreshed(ctx, g, session)
			return session.Status.Target.PodName
		}).WithTimeout(30 * time.Second).Should(Equal(pod.Name))
		injected(ctx, session, pod)
	})

	It("ends when it is asked to, and nothing is made", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "shop-0", inShop)
		session := create(ctx, namespace, "night", ofShop)
		armed(ctx, session, "pods watched: 1")
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		crash(ctx, pod)
		isAsItWas(ctx, pod)
	})

	It("is over at notAfter", func(ctx SpecContext) {
		runningPod(ctx, namespace, "shop-0", inShop)
		session := create(ctx, namespace, "short", ofShop, func(s *v1alpha1.DebugSession) {
			s.Spec.NotAfter = &metav1.Time{Time: time.Now().Add(10 * time.Second)}
		})
		armed(ctx, session, "pods watched: 1")
		endsAs(ctx, session, v1alpha1.OutcomeExpired, v1alpha1.ReasonNotTriggered)
	})

	It("waits no longer than its class lets it", func(ctx SpecContext) {
		overnight := newClass(ctx, "overnight", func(c *v1alpha1.DebugClass) { c.Spec.MaxArmedFor = &metav1.Duration{Duration: 12 * time.Hour} })
		until := func(long time.Duration) *v1alpha1.DebugSession {
			return asked(namespace, "night", ofShop, func(s *v1alpha1.DebugSession) {
				s.Spec.ClassName, s.Spec.NotAfter = "overnight", &metav1.Time{Time: time.Now().Add(long)}
			})
		}
		Eventually(func() string { return refusal(k8s.Create(ctx, until(13*time.Hour), client.DryRunAll)) }).Should(
			ContainSubstring("more than 12h after the session's creation, the longest that one may be armed (maxArmedFor); choose "))
		Expect(k8s.Create(ctx, until(12*time.Hour), client.DryRunAll)).To(Succeed())
		session := until(2 * time.Hour)
		Expect(k8s.Create(ctx, session)).To(Succeed())
		armed(ctx, session, "pods watched: 0")
		Expect(k8s.Patch(ctx, overnight, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"maxArmedFor":"1h"}}`)))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonClassForbids)
	})

	DescribeTable("is refused by the API server", func(ctx SpecContext, change fixture.SessionOption, says string) {
		session := fixture.Session(fixture.Unsent(namespace, "wrong"), ofShop, change)
		Expect(k8s.Create(ctx, session)).To(MatchError(ContainSubstring(says)))
	},
		Entry("without notAfter", func(s *v1alpha1.DebugSession) { s.Spec.NotAfter = nil }, "set notAfter"),
		Entry("of one pod", func(s *v1alpha1.DebugSession) {
			s.Spec.Target = v1alpha1.Target{PodName: "shop-0", When: s.Spec.Target.When}
		}, "when waits for one of the pods of a workload or selector"),
		Entry("with pick", fixture.Pick(v1alpha1.PickOldest), "remove pick, or when"),
		Entry("for nothing", func(s *v1alpha1.DebugSession) { s.Spec.Target.When = &v1alpha1.When{} }, "set exactly one of crashed: true and notReadyFor"),
		Entry("for both", func(s *v1alpha1.DebugSession) {
			s.Spec.Target.When.NotReadyFor = &metav1.Duration{Duration: time.Minute}
		}, "set exactly one of crashed: true and notReadyFor"),
		Entry("for too short a time", func(s *v1alpha1.DebugSession) {
			s.Spec.Target.When = &v1alpha1.When{NotReadyFor: &metav1.Duration{Duration: time.Second}}
		}, "from 10s to 24h"),
	)
})

var _ = Describe("a session that waits for a pod to crash while the operator is down", func() {
	It("is started by it when the operator is back", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "shop-0", inShop)
		session := create(ctx, namespace, "night", ofShop)
		armed(ctx, session, "pods watched: 1")
		stop()
		crash(ctx, pod)
		startOperator(node)
		injected(ctx, session, pod)
	})
})
