package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("further ways to debug", Ordered, ContinueOnFailure, func() {
	var namespace string
	kubelet := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(kubelet)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	// runs has the session's own pod run.
	runs := func(ctx context.Context, session *v1alpha1.DebugSession) *corev1.Pod {
		GinkgoHelper()
		made := copied(ctx, session)
		Expect(kubelet.set(ctx, made, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)
		return made
	}

	It("debugs a node with a pod of its own, in the namespace that the class names", func(ctx SpecContext) {
		class := newClass(ctx, "nodes-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Modes, c.Spec.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, namespace
		})
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-" + namespace}}
		Expect(k8s.Create(ctx, node)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, node)).To(Succeed()) })
		onNode := func(namespace string) *v1alpha1.DebugSession {
			session := asked(namespace, "disk")
			session.Spec.ClassName, session.Spec.Mode, session.Spec.Target = class.Name, v1alpha1.ModeNode, v1alpha1.Target{
				NodeName: node.Name,
			}
			return session
		}
		Expect(k8s.Create(ctx, onNode(newNamespace(ctx, nil)))).To(MatchError(ContainSubstring("nodes may be debugged only in namespace")))

		session := onNode(namespace)
		Expect(k8s.Create(ctx, session)).To(Succeed())
		made := runs(ctx, session)
		Expect(made.Spec.NodeName).To(Equal(node.Name))
		Expect(made.Spec.HostPID).To(BeTrue())
		Expect(made.Spec.ActiveDeadlineSeconds).NotTo(BeNil())
		Expect(session.Status.Target.NodeUID).To(Equal(node.UID))
		Expect(session.Status.Target.Name).To(Equal("node/" + node.Name))
		edit(ctx, session, fixture.End)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, made)
			g.Expect(made.DeletionTimestamp).NotTo(BeNil())
		}).Should(Succeed())
		reaches(ctx, session, v1alpha1.PhaseEnding)
		vanish(ctx, made) // as its kubelet would have it, once its containers have ended
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	})

	It("cuts a copy off from the network while it is there", func(ctx SpecContext) {
		runningPod(ctx, namespace, "web")
		session := create(ctx, namespace, "quiet", fixture.Of("web"), fixture.AsCopy(func(c *v1alpha1.PodCopy) {
			c.Isolate, c.Quiesce = true, []v1alpha1.QuiescedContainer{{Name: "*"}}
		}))
		made := runs(ctx, session)
		Expect(made.Spec.Containers[0].Command).To(HaveExactElements("sleep", Not(BeEmpty())))
		policy := &networkingv1.NetworkPolicy{}
		Expect(k8s.Get(ctx, types.NamespacedName{Namespace: namespace, Name: debugpod.IsolationName(session.UID)}, policy)).To(Succeed())
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		Expect(err).NotTo(HaveOccurred())
		pods := &corev1.PodList{}
		Expect(k8s.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector})).To(Succeed())
		Expect(pods.Items).To(HaveExactElements(HaveField("Name", made.Name)))

		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		isGone(ctx, policy)
	})

	It("says who holds what cut a copy off, and does not delete it without a pause", func(ctx SpecContext) {
		runningPod(ctx, namespace, "web")
		session := create(ctx, namespace, "held", fixture.Of("web"), fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Isolate = true }))
		runs(ctx, session)
		policy := &networkingv1.NetworkPolicy{}
		Expect(k8s.Get(ctx, types.NamespacedName{Namespace: namespace, Name: debugpod.IsolationName(session.UID)}, policy)).To(Succeed())
		Expect(k8s.Patch(ctx, policy, mergePatch(`{"metadata":{"finalizers":["example.com/hold"]}}`))).To(Succeed())
		edit(ctx, session, fixture.End)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Conditions).To(ContainElement(And(
				HaveField("Type", v1alpha1.ConditionDebuggerReady),
				HaveField("Message", ContainSubstring("held by finalizers set by others: example.com/hold")))))
		}).Should(Succeed())
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseEnding))
		so := askedSoFar()
		Consistently(phase(ctx, session)).WithTimeout(2 * time.Second).Should(Equal(v1alpha1.PhaseEnding))
		Expect(len(askedSince(so, namespace))).To(BeNumerically("<", 10))
		Expect(k8s.Patch(ctx, policy, mergePatch(`{"metadata":{"finalizers":null}}`))).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseEnded))
	})

	It("replaces the original once the copy runs, and not before", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		hold(ctx, pod, "example.com/seen")
		session := create(ctx, namespace, "swap", fixture.Of("web"), fixture.AsCopy(func(c *v1alpha1.PodCopy) {
			c.ReplaceOriginal = v1alpha1.ReplaceIfUncontrolled
		}))
		copied(ctx, session)
		refreshed(ctx, NewWithT(GinkgoT()), pod)
		Expect(pod.DeletionTimestamp).To(BeNil())
		runs(ctx, session)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, pod)
			g.Expect(pod.DeletionTimestamp).NotTo(BeNil())
			refreshed(ctx, g, session)
			g.Expect(session.Status.Target.ReplacedAt).NotTo(BeNil())
			g.Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive))
		}).Should(Succeed())
	})

	It("ends a debugger without stdin although nobody can read what it wrote", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, kubelet, namespace, "once", pod, func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = false, false
		})
		Expect(kubelet.set(ctx, pod, session.Status.Debugger.ContainerName, exited(3, "Error", ""))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited)
		Expect(said(session)).To(ContainSubstring("exit code 3; its output cannot be read"))
	})

	It("changes a container of the copy, and adds none", func(ctx SpecContext) {
		runningPod(ctx, namespace, "web")
		session := create(ctx, namespace, "image", fixture.Of("web"), fixture.AsCopy(func(c *v1alpha1.PodCopy) {
			c.Containers = []v1alpha1.ContainerChange{{Name: "proxy", Image: "proxy:debug"}}
		}), func(s *v1alpha1.DebugSession) { s.Spec.Debugger = v1alpha1.Debugger{} })
		made := runs(ctx, session)
		Expect(made.Spec.Containers).To(HaveLen(2))
		Expect(made.Spec.Containers[1].Image).To(Equal("proxy:debug"))
		Expect(session.Status.Attach).To(HaveSuffix(" -c proxy"))
	})
})
