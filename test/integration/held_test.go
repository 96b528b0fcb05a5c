package integration

import (
	"context"
	"fmt"
	"sort"
	"strings"
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
	const most = 255 << 10 // of annotations; labels have no limit
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
	sort.Search(most, func(by int) bool {
		err := grow(by)
		if err != nil {
			refused = err
		}
		return err != nil
	})
	Expect(refused).To(MatchError(ContainSubstring("too large")))
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

	It("does not outlast its end by making it too large to be written", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		session.Spec.TTL = &metav1.Duration{Duration: 59 * time.Second}
		activeOf(ctx, alice, node, session, pod)
		Eventually(reached(ctx)).Should(BeTrue())
		fill(ctx, alice, session)
		Expect(reached(ctx)()).To(BeTrue())

		Expect(k8s.Patch(ctx, session.DeepCopy(), mergePatch(`{"spec":{"ttl":"10s"}}`))).To(Succeed(), "it is no longer than before")
		Eventually(reached(ctx)).WithTimeout(20 * time.Second).Should(BeFalse())
		eventually(func(g Gomega) {
			refreshed(ctx, g, pod)
			g.Expect(runs(pod, session.Status.Debugger.ContainerName)).To(BeFalse())
		}).Should(Succeed())
		refreshed(ctx, Default, session)
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseActive), "or it was not too large")

		Expect(k8s.Patch(ctx, session, mergePatch(`{"metadata":{"annotations":null}}`))).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseEnded)
	})

	It("does not outlast its end by writing it all the time", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		activeOf(ctx, alice, node, session, pod)
		Eventually(reached(ctx)).Should(BeTrue())
		writing, stop := context.WithCancel(ctx)
		defer stop()
		for writer := range 8 {
			go func() {
				for i := 0; writing.Err() == nil; i++ {
					_ = alice.Patch(writing, session.DeepCopy(), mergePatch(fmt.Sprintf(`{"metadata":{"annotations":{"n%d":"%d"}}}`, writer, i)))
				}
			}()
		}
		edit(ctx, session, func(s *v1alpha1.DebugSession) { s.Spec.End = true })
		Eventually(reached(ctx)).WithTimeout(5 * time.Second).Should(BeFalse())
		reaches(ctx, session, v1alpha1.PhaseEnded)
	})
})
