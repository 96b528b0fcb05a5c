package integration

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
)

var _ = Describe("the watches of sessions that are over", Ordered, func() {
	node := &kubelet{}
	registry := prometheus.NewRegistry()
	var namespace string

	BeforeAll(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		startOperator(node, func(options *manager.Options, own *operator.Options) {
			options.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}} // and not what others have left
			own.Registry = registry
		})
		createAnything(ctx)
	})
	watches := func(g Gomega) float64 {
		families, err := registry.Gather()
		g.Expect(err).NotTo(HaveOccurred())
		for _, family := range families {
			if family.GetName() == "debugsession_pod_watches" {
				return family.Metric[0].GetGauge().GetValue()
			}
		}
		g.Expect("debugsession_pod_watches").To(BeEmpty(), "it is not measured")
		return 0
	}

	It("are over, however each has ended", func(ctx SpecContext) {
		var all []*v1alpha1.DebugSession
		var pods []*corev1.Pod
		for i := range 4 {
			pods = append(pods, runningPod(ctx, namespace, fmt.Sprint("web-", i)))
			all = append(all, active(ctx, node, namespace, fmt.Sprint("hang-", i), pods[i]))
		}
		waiting := create(ctx, namespace, "waiting", fixture.Of("nothing"))
		reaches(ctx, waiting, v1alpha1.PhasePending)
		Eventually(watches).Should(BeNumerically("==", 5))

		edit(ctx, all[0], fixture.End)
		Expect(k8s.Delete(ctx, all[1])).To(Succeed())
		vanish(ctx, pods[2])
		Expect(node.set(ctx, pods[3], all[3].Status.Debugger.ContainerName, exited(0, "Completed", ""))).To(Succeed())
		Expect(k8s.Delete(ctx, waiting)).To(Succeed())
		Eventually(watches).Should(BeZero())
	})
})
