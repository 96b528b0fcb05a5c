package integration

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// fill makes a session as large as the API server keeps: not a word of status can be added to it.
func fill(ctx context.Context, who client.Client, session *v1alpha1.DebugSession) {
	GinkgoHelper()
	const most, step = 255 << 10, 32 // bytes of annotations, of which the largest have place for no more; labels have no limit
	var labels strings.Builder
	for i := range 11000 {
		fmt.Fprintf(&labels, `"a%05d%s":"%s",`, i, strings.Repeat("a", 50), strings.Repeat("b", 63))
	}
	var refused error
	grow := func(by int) error {
		return who.Patch(ctx, session.DeepCopy(), mergePatch(fmt.Sprintf(`{"metadata":{"labels":{%s"end":"x"},"annotations":{"fill":%q}}}`,
			labels.String(), strings.Repeat("c", by))))
	}
	Expect(grow(0)).To(Succeed())
	sort.Search(most/step, func(steps int) bool {
		err := grow(steps * step)
		if err != nil {
			refused = err
		}
		return err != nil
	})
	Expect(refused).To(MatchError(ContainSubstring("too large")))
}

// writing has somebody write a session all the time, until stop is called.
func writing(ctx context.Context, who client.Client, session *v1alpha1.DebugSession) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	for writer := range 8 {
		at := session.DeepCopy()
		go func() {
			for i := 0; ctx.Err() == nil; i++ {
				_ = who.Patch(ctx, at.DeepCopy(), mergePatch(fmt.Sprintf(`{"metadata":{"annotations":{"n%d":"%d"}}}`, writer, i)))
			}
		}()
	}
	return stop
}

var _ = Describe("who may change a session", Ordered, ContinueOnFailure, func() {
	var alice *person
	var namespace string
	var pod *corev1.Pod
	node := &kubelet{}

	BeforeAll(func() {
		startOperator(node)
		alice = newPerson("alice")
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		mayEdit(ctx, namespace, "alice")
		may(ctx, namespace, "alice", v1alpha1.VerbUse, "standard")
		pod = runningPod(ctx, namespace, "web")
	})
	reached := func(ctx context.Context) func() bool {
		return func() bool { return reaching(ctx, "alice", namespace, "web") }
	}

	DescribeTable("does not outlast its end by making it too large to be written", func(ctx SpecContext, mode v1alpha1.Mode) {
		session := newSession(namespace, "hang", "web")
		session.Spec.Mode, session.Spec.TTL = mode, &metav1.Duration{Duration: 59 * time.Minute}
		activeOf(ctx, alice, node, session, pod)
		at := session.Status.Debugger
		reached := func() bool { return reaching(ctx, "alice", namespace, at.PodName) }
		Eventually(reached).Should(BeTrue())
		fill(ctx, alice, session)
		Expect(reached()).To(BeTrue())

		Expect(k8s.Patch(ctx, session.DeepCopy(), mergePatch(`{"spec":{"ttl":"10s"}}`))).To(Succeed(), "its text is no longer than before")
		Eventually(reached).Should(BeFalse())
		if mode == v1alpha1.ModePodCopy {
			isGone(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: at.PodName}})
		} else {
			Eventually(func(g Gomega) {
				refreshed(ctx, g, pod)
				g.Expect(runs(pod, at.ContainerName)).To(BeFalse())
			}).Should(Succeed())
		}
		refreshed(ctx, Default, session)
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive), "or it was not too large")

		Expect(k8s.Patch(ctx, session, mergePatch(`{"metadata":{"annotations":null}}`))).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseEnded)
		Expect(k8s.Patch(ctx, session, mergePatch(`{"metadata":{"labels":null}}`))).To(Succeed(), "other specs have its record stored, and that said")
	},
		Entry("with an ephemeral container", v1alpha1.ModeEphemeralContainer),
		Entry("with a copy", v1alpha1.ModePodCopy),
	)

	It("does not outlast its end by writing it all the time", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		activeOf(ctx, alice, node, session, pod)
		Eventually(reached(ctx)).Should(BeTrue())
		defer writing(ctx, alice, session)()
		edit(ctx, session, func(s *v1alpha1.DebugSession) { s.Spec.End = true })
		Eventually(reached(ctx)).Should(BeFalse())
		reaches(ctx, session, v1alpha1.PhaseEnded)
	})

	It("does not outlast its deletion by writing it all the time", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		activeOf(ctx, alice, node, session, pod)
		Eventually(reached(ctx)).Should(BeTrue())
		defer writing(ctx, alice, session)()
		Eventually(func() error { return k8s.Delete(ctx, session.DeepCopy()) }).Should(Succeed())
		Eventually(reached(ctx)).Should(BeFalse())
		gone(ctx, session)
	})

	It("does not outlast a denial by writing it all the time", func(ctx SpecContext) {
		class := "of-" + namespace
		newClass(ctx, class, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1} })
		may(ctx, namespace, "alice", v1alpha1.VerbUse, class)
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName = class
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		defer writing(ctx, alice, session)()
		denial := newApproval(namespace, "no", "hang")
		denial.Spec.Decision = v1alpha1.DecisionDeny
		Expect(k8s.Create(ctx, denial)).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseEnded))
		Expect(session.Status.Outcome).To(Equal(v1alpha1.OutcomeDenied))
	})

	It("has no more sessions at once than the class lets one requester have, nor one namespace", func(ctx SpecContext) {
		class := "few-" + namespace
		newClass(ctx, class, func(c *v1alpha1.DebugClass) { c.Spec.Limits = &v1alpha1.ClassLimits{PerRequester: 2, PerNamespace: 3} })
		bob := newPerson("bob")
		mayEdit(ctx, namespace, "bob")
		for _, user := range []string{"alice", "bob"} {
			may(ctx, namespace, user, v1alpha1.VerbUse, class)
		}
		var all []*v1alpha1.DebugSession
		var creating sync.WaitGroup
		for i := range 12 {
			session := newSession(namespace, fmt.Sprint("hang-", i), "web")
			session.Spec.ClassName = class
			all = append(all, session)
			creating.Go(func() {
				defer GinkgoRecover()
				Expect([]*person{alice, bob}[i%2].Create(ctx, session)).To(Succeed())
			})
		}
		creating.Wait()
		started := func(g Gomega) map[string]int {
			list := &v1alpha1.DebugSessionList{}
			g.Expect(k8s.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
			count := map[string]int{}
			for i := range list.Items {
				if s := &list.Items[i]; s.Status.StartedAt != nil && s.Status.Phase != v1alpha1.PhaseEnded {
					count[s.Spec.Requester.Username]++
					count["all"]++
				} else {
					g.Expect(s.Status.Reason).To(Equal(v1alpha1.ReasonLimitReached))
				}
			}
			return count
		}
		full := And(HaveKeyWithValue("all", 3), HaveKeyWithValue("alice", BeNumerically("<=", 2)),
			HaveKeyWithValue("bob", BeNumerically("<=", 2)))
		Eventually(started).Should(full)
		Consistently(started).WithTimeout(time.Second).Should(full)
		refreshed(ctx, Default, pod)
		Expect(pod.Spec.EphemeralContainers).To(HaveLen(3))
		for _, session := range all {
			Expect(k8s.Delete(ctx, session)).To(Succeed())
		}
	})
})
