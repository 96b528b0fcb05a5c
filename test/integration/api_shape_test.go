package integration

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	codecs "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("the API's shape", Ordered, func() {
	var namespace string

	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		createAnything(ctx)
		namespace = newNamespace(ctx, nil)
	})

	It("has a short name and a category", func() {
		found, err := discovery.NewDiscoveryClientForConfig(restConfig)
		Expect(err).NotTo(HaveOccurred())
		list, err := found.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range list.APIResources {
			if resource.Name == "debugsessions" {
				Expect(resource.ShortNames).To(ConsistOf("dbg"))
				Expect(resource.Categories).To(ConsistOf("debug"))
				Expect(resource.Namespaced).To(BeTrue())
				return
			}
		}
		Fail("there are no debugsessions")
	})

	It("shows at a glance what stands where", func(ctx SpecContext) {
		session := asked(namespace, "hang")
		session.Spec.Target.PodName = "nobody"
		Expect(k8s.Create(ctx, session)).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhasePending))

		columns, row := tableOf(ctx, namespace)
		var narrow, wide []string
		cells := map[string]any{}
		for i, column := range columns {
			if column.Priority == 0 {
				narrow = append(narrow, column.Name)
			} else {
				wide = append(wide, column.Name)
			}
			cells[column.Name] = row.Cells[i]
		}
		Expect(narrow).To(Equal([]string{"Name", "Target", "Mode", "Phase", "Reason", "Waiting-For", "Expires", "Age"}))
		Expect(wide).To(ContainElements("Requester", "Approved-By", "Outcome", "Debugger-Pod", "Debugger-Container"))
		Expect(cells).To(HaveKeyWithValue("Name", "hang"))
		Expect(cells).To(HaveKeyWithValue("Target", "nobody"))
		Expect(cells).To(HaveKeyWithValue("Mode", "EphemeralContainer"))
		Expect(cells).To(HaveKeyWithValue("Phase", "Pending"))
		Expect(cells).To(HaveKeyWithValue("Reason", "TargetNotFound"))
	})
})

// tableOf is the one session of the namespace, as kubectl get has the API server print it.
func tableOf(ctx SpecContext, namespace string) ([]metav1.TableColumnDefinition, metav1.TableRow) {
	GinkgoHelper()
	config := rest.CopyConfig(restConfig)
	config.GroupVersion, config.APIPath = &v1alpha1.GroupVersion, "/apis"
	config.NegotiatedSerializer = codecs.Codecs.WithoutConversion()
	raw, err := rest.RESTClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	answer, err := raw.Get().Namespace(namespace).Resource("debugsessions").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	table := &metav1.Table{}
	Expect(json.Unmarshal(answer, table)).To(Succeed())
	Expect(table.Rows).To(HaveLen(1))
	return table.ColumnDefinitions, table.Rows[0]
}
