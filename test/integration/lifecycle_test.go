package integration

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// stands is how a session came to a phase, and what has to happen that it can end.
type stands struct {
	phase   v1alpha1.Phase
	reach   func(context.Context, *kubelet, string) *v1alpha1.DebugSession
	release func(context.Context, *kubelet, *v1alpha1.DebugSession)
}

func nothing(context.Context, *kubelet, *v1alpha1.DebugSession) {}

// everywhere is a session in each phase, of each mode where that makes a difference.
var everywhere = map[string]stands{
	"Pending": {v1alpha1.PhasePending, func(ctx context.Context, _ *kubelet, namespace string) *v1alpha1.DebugSession {
		return create(ctx, namespace, "hang", fixture.Of("nobody"))
	}, nothing},
	"Starting": {v1alpha1.PhaseStarting, func(ctx context.Context, _ *kubelet, namespace string) *v1alpha1.DebugSession {
		pod := runningPod(ctx, namespace, "web")
		session := create(ctx, namespace, "hang")
		injected(ctx, session, pod)
		return session
	}, func(ctx context.Context, node *kubelet, session *v1alpha1.DebugSession) {
		// Kubernetes cannot take back a container that has not started: it starts, and is stopped.
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: session.Namespace, Name: "web"}}
		refreshed(ctx, Default, pod)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, running())).To(Succeed())
	}},
	"Starting, a copy": {v1alpha1.PhaseStarting, func(ctx context.Context, _ *kubelet, namespace string) *v1alpha1.DebugSession {
		runningPod(ctx, namespace, "web")
		session := create(ctx, namespace, "hang", fixture.AsCopy())
		copied(ctx, session)
		return session
	}, nothing},
	"Active": {v1alpha1.PhaseActive, func(ctx context.Context, node *kubelet, namespace string) *v1alpha1.DebugSession {
		return active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"))
	}, nothing},
	"Active, a copy": {v1alpha1.PhaseActive, func(ctx context.Context, node *kubelet, namespace string) *v1alpha1.DebugSession {
		return active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
	}, nothing},
	"Ending, a copy": {v1alpha1.PhaseEnding, func(ctx context.Context, node *kubelet, namespace string) *v1alpha1.DebugSession {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		hold(ctx, copied(ctx, session), "example.com/hold")
		edit(ctx, session, fixture.End)
		reaches(ctx, session, v1alpha1.PhaseEnding)
		return session
	}, func(ctx context.Context, _ *kubelet, session *v1alpha1.DebugSession) {
		hold(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: session.Namespace, Name: session.Status.Debugger.PodName}})
	}},
	"Ended": {v1alpha1.PhaseEnded, func(ctx context.Context, node *kubelet, namespace string) *v1alpha1.DebugSession {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"))
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		return session
	}, nothing},
}

// hold sets the finalizers of a pod.
func hold(ctx context.Context, pod *corev1.Pod, finalizers ...string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		refreshed(ctx, g, pod)
		base := pod.DeepCopy()
		pod.Finalizers = finalizers
		g.Expect(k8s.Patch(ctx, pod, client.MergeFrom(base))).To(Succeed())
	}).Should(Succeed())
}

// nothingLeft: no debugger runs in the namespace, no copy is there, and nobody has access.
func nothingLeft(ctx context.Context, namespace string) {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Expect(k8s.List(ctx, pods, client.InNamespace(namespace))).To(Succeed())
	for i := range pods.Items {
		Expect(pods.Items[i].Labels).NotTo(HaveKey(v1alpha1.LabelSessionUID))
		for _, status := range pods.Items[i].Status.EphemeralContainerStatuses {
			Expect(status.State.Running).To(BeNil())
		}
	}
	for _, list := range []client.ObjectList{&rbacv1.RoleList{}, &rbacv1.RoleBindingList{}} {
		Expect(k8s.List(ctx, list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelSessionUID})).To(Succeed())
		Expect(list).To(HaveField("Items", BeEmpty()))
	}
}

var _ = Describe("a session that is deleted", Ordered, ContinueOnFailure, func() {
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})

	for name, at := range everywhere {
		It("when it is "+name+" goes, and leaves nothing", func(ctx SpecContext) {
			namespace := newNamespace(ctx, nil)
			session := at.reach(ctx, node, namespace)
			reaches(ctx, session, at.phase)
			Expect(k8s.Delete(ctx, session)).To(Succeed())
			at.release(ctx, node, session)
			isGone(ctx, session)
			nothingLeft(ctx, namespace)
		})
	}

	It("with its namespace goes, and leaves nothing", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "web")
		sessions := []*v1alpha1.DebugSession{
			create(ctx, namespace, "pending", fixture.Of("nobody")),
			active(ctx, node, namespace, "injected", pod),
			active(ctx, node, namespace, "copied", pod, fixture.AsCopy()),
		}
		reaches(ctx, sessions[0], v1alpha1.PhasePending)
		Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())

		// What the namespace controller does then, of which there is none here: first our kind, then the pods.
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.DebugSession{}, client.InNamespace(namespace))).To(Succeed())
		for _, session := range sessions {
			isGone(ctx, session)
		}
		nothingLeft(ctx, namespace)
	})

	It("cannot start in a namespace that is being deleted", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		session := create(ctx, namespace, "hang", fixture.AsCopy())
		reaches(ctx, session, v1alpha1.PhasePending)
		Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		Expect(k8s.Delete(ctx, session)).To(Succeed())
		isGone(ctx, session)
	})
})

var _ = Describe("sessions that cannot end", func() {
	It("hold up none of the others, however many they are", func(ctx SpecContext) {
		node := &kubelet{}
		startOperator(node)
		createAnything(ctx)
		at, held := everywhere["Ending, a copy"], make([]*v1alpha1.DebugSession, 2*concurrency)
		for i := range held {
			held[i] = at.reach(ctx, node, newNamespace(ctx, nil))
			DeferCleanup(at.release, node, held[i])
		}
		namespace := newNamespace(ctx, nil)
		other := active(ctx, node, namespace, "other", runningPod(ctx, namespace, "web"))
		edit(ctx, other, fixture.End)
		endsAs(ctx, other, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		for _, session := range held {
			refreshed(ctx, Default, session)
			Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseEnding))
		}
	})
})

var _ = Describe("debuggers that resist", func() {
	It("hold up none of the others by not answering, however many they are", func(ctx SpecContext) {
		node := &kubelet{stuck: "stuck"}
		startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "stuck")
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed()) })
		stuck := make([]*v1alpha1.DebugSession, 2*concurrency)
		for i := range stuck {
			stuck[i] = active(ctx, node, namespace, fmt.Sprint("stuck-", i), pod)
		}
		other := active(ctx, node, namespace, "other", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		for _, session := range stuck {
			edit(ctx, session, fixture.End)
		}
		for _, session := range stuck {
			reaches(ctx, session, v1alpha1.PhaseEnding)
		}
		edit(ctx, other, fixture.End)
		Eventually(phase(ctx, other)).WithTimeout(10 * time.Second).Should(Equal(v1alpha1.PhaseEnded))
	})

	It("are not asked without a pause for saying something else each time", func(ctx SpecContext) {
		node := &kubelet{}
		startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"))
		var said atomic.Int64
		node.answersBy(func() error {
			return fmt.Errorf("read tcp 10.0.0.1:%d->10.0.0.2:10250: connection reset by peer", said.Add(1))
		})
		edit(ctx, session, fixture.End)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			ready := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionDebuggerReady)
			g.Expect(ready.Message).To(ContainSubstring("connection reset by peer"))
		}).Should(Succeed())
		Consistently(node.executed(session)).WithTimeout(3 * time.Second).Should(BeNumerically("<", 20))
		node.answers(nil)
		Expect(k8s.Delete(ctx, session)).To(Succeed())
		isGone(ctx, session)
	})
})

var _ = Describe("an operator that is restarted", func() {
	It("carries sessions in every phase on to their end", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		createAnything(ctx)
		sessions := map[string]*v1alpha1.DebugSession{}
		for name, at := range everywhere {
			By("having one that is " + name)
			sessions[name] = at.reach(ctx, node, newNamespace(ctx, nil))
			reaches(ctx, sessions[name], at.phase)
		}
		stop()

		startOperator(node)
		for name, session := range sessions {
			By("ending the one that was " + name)
			was, at := session.DeepCopy().Status, everywhere[name]
			edit(ctx, session, fixture.End)
			at.release(ctx, node, session)
			endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
			nothingLeft(ctx, session.Namespace)
			if was.Debugger != nil {
				Expect(session.Status.Debugger.ContainerName).To(Equal(was.Debugger.ContainerName))
				Expect(session.Status.StartedAt).To(Equal(was.StartedAt))
			}
			if was.Phase == v1alpha1.PhaseEnded {
				Expect(session.Status.EndedAt).To(Equal(was.EndedAt))
			}
		}
	})

	It("lasts longer once its debugger has been told so", func(ctx SpecContext) {
		node := &kubelet{}
		startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.TTL(20*time.Second))
		before := session.Status.ExpiresAt
		node.answers(errors.New("the node does not answer"))
		edit(ctx, session, fixture.TTL(23*time.Second))
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			ready := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionDebuggerReady)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonNotExtended))
			g.Expect(ready.Message).To(ContainSubstring("the node does not answer"))
		}).Should(Succeed())
		Expect(session.Status.ExpiresAt).To(Equal(before))
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive))

		node.answers(nil)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.ExpiresAt.Time).To(Equal(before.Add(3 * time.Second)))
			g.Expect(session.Status.Debugger.Deadline).To(Equal(session.Status.ExpiresAt))
		}).Should(Succeed())
		Eventually(func(g Gomega) {
			all := &eventsv1.EventList{}
			g.Expect(k8s.List(ctx, all, client.InNamespace(namespace))).To(Succeed())
			g.Expect(all.Items).To(ContainElement(HaveField("Reason", v1alpha1.ReasonRescheduled)))
		}).Should(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		Expect(session.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByDeadline))
		Expect(session.Status.EndedAt.Time).To(BeTemporally(">=", session.Status.ExpiresAt.Time))
	})

	It("ends a debugger of which it told that its time is shorter, with nobody there", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.TTL(time.Hour))
		node.answers(errors.New("the node does not answer"))
		at := session.Status.StartedAt.Add(15 * time.Second)
		edit(ctx, session, fixture.TTL(15*time.Second))
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			ready := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionDebuggerReady)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonNotShortened))
			g.Expect(ready.Message).To(ContainSubstring("the node does not answer"))
		}).Should(Succeed())
		Expect(session.Status.ExpiresAt.Time).To(Equal(at)) // that is so whatever becomes of telling it
		Expect(session.Status.Debugger.Deadline.Time).To(BeTemporally(">", at))

		node.answers(nil)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Debugger.Deadline.Time).To(Equal(at))
		}).Should(Succeed())
		stop()
		Eventually(func() bool { return metav1.Now().Time.After(at) }).Should(BeTrue())
		startOperator(node)
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		Expect(session.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByDeadline))
		nothingLeft(ctx, namespace)
	})

	It("ends a session whose time was up while there was none", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.TTL(10*1e9))
		stop()
		Eventually(func() bool { return session.Status.ExpiresAt.Time.Before(metav1.Now().Time) }).Should(BeTrue())
		startOperator(node)
		endsAs(ctx, session, v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired))
		nothingLeft(ctx, namespace)
	})
})
