package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("the end of a session", func() {
	It("comes when nobody uses it, as its class has it, and says so", func(ctx SpecContext) {
		node := &kubelet{}
		startOperator(node)
		namespace := newNamespace(ctx, nil)
		newClass(ctx, "idles", func(c *v1alpha1.DebugClass) { c.Spec.MaxIdleTimeout = &metav1.Duration{Duration: time.Minute} })
		ofClass := func(s *v1alpha1.DebugSession) { s.Spec.ClassName = "idles" }
		pod := runningPod(ctx, namespace, "web")
		longer := asked(namespace, "longer", ofClass, func(s *v1alpha1.DebugSession) {
			s.Spec.IdleTimeout = &metav1.Duration{Duration: 2 * time.Minute}
		})
		Eventually(func() string { return refusal(k8s.Create(ctx, longer.DeepCopy(), client.DryRunAll)) }).Should(
			ContainSubstring("spec.idleTimeout: 2m exceeds the class's maxIdleTimeout of 1m"))
		session := active(ctx, node, namespace, "hang", pod, ofClass)
		Expect(session.Status.Class.IdleTimeout).To(HaveField("Duration", time.Minute))
		ended := exited(debugpod.ExitDeadline, "Error", debugpod.WhenIdle+"\n")
		ended.Terminated.StartedAt = metav1.NewTime(time.Now().Add(-2 * time.Minute))
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, ended)).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeExpired, v1alpha1.ReasonIdleTimeout)
		Expect(session.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByIdleTimeout))
		Expect(said(session)).To(ContainSubstring("the debugger was idle for 1m (idleTimeout)"))
	})

	It("is warned of by one event each, as its class has it, also by an operator that came later", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		namespace := newNamespace(ctx, nil)
		newClass(ctx, "warns", func(c *v1alpha1.DebugClass) {
			c.Spec.EndWarnings = []metav1.Duration{{Duration: 26 * time.Second}, {Duration: 12 * time.Second}, {Duration: time.Hour}}
		})
		ofClass := func(s *v1alpha1.DebugSession) { s.Spec.ClassName = "warns" }
		ephemeral := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), ofClass, fixture.TTL(30*time.Second))
		copied := active(ctx, node, namespace,
			"copy", runningPod(ctx, namespace, "shop"), ofClass, fixture.TTL(30*time.Second), fixture.AsCopy())
		Expect(ephemeral.Status.NextEndWarning.Time).To(Equal(ephemeral.Status.ExpiresAt.Add(-26 * time.Second)))

		warnings := func(g Gomega) map[string]int {
			all := &eventsv1.EventList{}
			g.Expect(k8s.List(ctx, all, client.InNamespace(namespace))).To(Succeed())
			sent := map[string]int{}
			for i := range all.Items {
				if e := &all.Items[i]; e.Reason == v1alpha1.ReasonEndingSoon {
					g.Expect(e.Note).
						To(MatchRegexp("^the session ends in [0-9]+s, at .*; to extend it, raise spec.ttl or run kubectl dbg extend$"))
					sent[e.Regarding.Name]++
				}
			}
			return sent
		}
		Eventually(func(g Gomega) { g.Expect(warnings(g)).To(Equal(map[string]int{"hang": 1, "copy": 1})) }).Should(Succeed())
		stop()
		startOperator(node)
		for _, session := range []*v1alpha1.DebugSession{ephemeral, copied} {
			endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
			Expect(session.Status.NextEndWarning).To(BeNil())
		}
		Eventually(func(g Gomega) { g.Expect(warnings(g)).To(Equal(map[string]int{"hang": 2, "copy": 2})) }).Should(Succeed())
	})
})
