package integration

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

var _ = Describe("what the operator costs", Ordered, func() {
	var namespace string
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	It("asks the API server nothing in 1,000 looks at a settled session", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		settled := active(ctx, node, namespace, "settled", pod)
		asked := time.Now()
		edit(ctx, settled, fixture.End)
		endsAs(ctx, settled, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		most := 14
		if time.Since(asked) > plan.MaxUnwritten {
			most++ // that it ends was written on the way
		}
		if !listsAreStreamed(ctx) {
			most += 2 // for the watch of the target: refused, a list, a watch
		}
		Expect(len(requestsFor(namespace))).To(BeNumerically("<=", most),
			"15 with the SubjectAccessReview, which is of no namespace: one more than without classes and access")
		running := active(ctx, node, namespace, "running", pod)
		Eventually(func(g Gomega) { // its last event was sent
			before := len(requestsFor(namespace))
			look(ctx, settled, 1)
			look(ctx, running, 1)
			g.Expect(requestsFor(namespace)).To(HaveLen(before))
		}).Should(Succeed())

		so := askedSoFar()
		look(ctx, settled, 1000)
		look(ctx, running, 100)
		Expect(askedSince(so, namespace)).To(BeEmpty(), "about this namespace, or about none")
		AddReportEntry("requests of an ephemeral session from creation to the end, and of another that runs", requestsFor(namespace))
	})

	It("holds nothing of 2,000 pods that are not debugged", func(ctx SpecContext) {
		unrelated(ctx, namespace, 2000)
		active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"))
		copySession := active(ctx, node, namespace, "copy", runningPod(ctx, namespace, "shop"), fixture.AsCopy())

		held := &corev1.PodList{}
		Expect(leader.GetCache().List(ctx, held)).To(Succeed())
		var names []string
		for i := range held.Items {
			if held.Items[i].Namespace == namespace {
				names = append(names, held.Items[i].Name)
			}
		}
		Expect(names).To(ConsistOf(copySession.Status.Debugger.PodName))
		for i := range held.Items {
			Expect(held.Items[i].Labels).To(HaveKey(v1alpha1.LabelSessionUID))
		}
		Expect(requestsFor(namespace)).NotTo(ContainElement(HaveSuffix("/pods/idle-0")))
	})
})

// listsAreStreamed reports whether the API server answers a list as a watch, as it does by default since Kubernetes 1.34.
func listsAreStreamed(ctx context.Context) bool {
	GinkgoHelper()
	clientset, err := kubernetes.NewForConfig(restConfig)
	Expect(err).NotTo(HaveOccurred())
	events, err := clientset.CoreV1().Pods("default").Watch(ctx, metav1.ListOptions{
		SendInitialEvents: new(true), ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true,
	})
	if apierrors.IsInvalid(err) {
		return false
	}
	Expect(err).NotTo(HaveOccurred())
	events.Stop()
	return true
}

// look has the operator look at a session that many times, by changes to it that mean nothing.
func look(ctx context.Context, session *v1alpha1.DebugSession, times int) {
	GinkgoHelper()
	enough := reconciles() + float64(times)
	var changes atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			defer GinkgoRecover()
			for reconciles() < enough {
				i := changes.Add(1) // several changes may be looked at in one pass
				Expect(i).To(BeNumerically("<", 10*times+100), "the operator does not look")
				patch := fmt.Sprintf(`{"metadata":{"annotations":{"looked":"%d"}}}`, i)
				at := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: session.Namespace, Name: session.Name}}
				Expect(k8s.Patch(ctx, at, client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
			}
		})
	}
	workers.Wait()
}

// reconciles is how many passes there were, of all operators of this process.
func reconciles() float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.Metric {
			if labelled(metric, "controller", "debugsession") {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func labelled(metric *dto.Metric, name, value string) bool {
	for _, label := range metric.Label {
		if label.GetName() == name {
			return label.GetValue() == value
		}
	}
	return false
}

// unrelated creates that many pods that run and that nobody debugs.
func unrelated(ctx context.Context, namespace string, count int) {
	GinkgoHelper()
	var next, failed atomic.Int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(count); i = next.Add(1) - 1 {
				pod := fixture.Pod()
				pod.ObjectMeta = metav1.ObjectMeta{
					Namespace: namespace,
					Name:      fmt.Sprint("idle-", i),
					Labels:    map[string]string{"app": "idle"},
				}
				if k8s.Create(ctx, pod) != nil {
					failed.Add(1)
				}
			}
		})
	}
	workers.Wait()
	Expect(failed.Load()).To(BeZero())
}
