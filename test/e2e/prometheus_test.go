package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/test/alerts"
)

// Each other alert fires in test/integration, which makes the causes of all.
var _ = Describe("Prometheus", Serial, func() {
	It("scrapes both replicas, evaluates each rule, answers each question of the dashboard, and fires of a sink that is dead", func(ctx SpecContext) {
		n := newNamespace()
		kubectl("label", "namespace", string(n), "e2e="+string(n))
		p := n.prometheus()
		Eventually(func(g Gomega) {
			up, err := p.Query(ctx, "up == 1")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(up).To(HaveLen(2))
		}).Should(Succeed())

		n.pod("web")
		sink := string(n) + "-dead"
		_, err := feedKubectl(fmt.Sprintf(`
apiVersion: debugsession.dev/v1alpha1
kind: DebugSink
metadata: {name: %s}
spec:
  url: https://127.0.0.1:1/nobody
  types: [Active]
  namespaceSelector: {matchLabels: {e2e: %s}}
`, sink, n), "apply", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { kubectl("delete", "debugsink", sink) })
		n.session("hang", shell)
		n.reaches("hang", v1alpha1.PhaseActive)

		Eventually(func() ([]alerts.Alert, error) { return p.Alerts(ctx) }).Should(ContainElement(And(
			HaveField("State", "firing"),
			HaveField("Labels", And(HaveKeyWithValue("alertname", "DebugSessionSinkDead"), HaveKeyWithValue("sink", sink))),
		)))
		Expect(kubectl("get", "debugsink", sink, "-o", `jsonpath={.status.conditions[?(@.type=="Delivering")].status}`)).To(Equal("False"))

		Eventually(func() ([]alerts.Rule, error) { return p.Rules(ctx) }).Should(And(
			WithTransform(func(all []alerts.Rule) int { return len(all) }, BeNumerically(">=", 10)),
			HaveEach(HaveField("Health", "ok"))))

		queries, err := alerts.Queries()
		Expect(err).NotTo(HaveOccurred())
		for _, expr := range queries {
			_, err := p.Query(ctx, expr)
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(p.Query(ctx, `sum by (class) (debugsession_class_sessions{phase="Active"})`)).NotTo(BeEmpty())
		n.end("hang")
	})
})

// prometheus scrapes all replicas each second until the spec ends, with the alerts of config/prometheus as a test has time for them.
func (n namespace) prometheus() *alerts.Server {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	write := func(name, content string) string {
		Expect(os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600)).To(Succeed())
		return name
	}
	var replicas []string
	for pod := range strings.FieldsSeq(kubectl("-n", operatorNamespace, "get", "pods", "-l", operatorPods, "-o",
		"jsonpath={.items[*].metadata.name}")) {
		replicas = append(replicas, forward(pod).address)
	}
	rules, err := alerts.Rules()
	Expect(err).NotTo(HaveOccurred())
	p, err := alerts.Start(folder, time.Second, alerts.Hastened(rules), map[string]any{
		"job_name": "debugsession", "scheme": "https",
		"authorization":  map[string]any{"credentials_file": write("token", n.metricsToken())},
		"tls_config":     map[string]any{"server_name": metricsServerName, "ca_file": write("ca.crt", metricsCA())},
		"static_configs": []map[string]any{{"targets": replicas}},
	}, GinkgoWriter)
	if errors.Is(err, alerts.ErrNoPrometheus) && os.Getenv("CI") == "" {
		Skip(err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(p.Stop)
	Eventually(func() error {
		_, err := p.Query(context.Background(), "1")
		return err
	}).Should(Succeed())
	return p
}
