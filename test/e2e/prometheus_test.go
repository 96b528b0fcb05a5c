package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/test/alerts"
)

var _ = Describe("Prometheus", Serial, func() {
	It("scrapes both replicas, evaluates each rule, answers each question of the dashboard, and fires of a sink that is dead", func() {
		n := newNamespace()
		kubectl("label", "namespace", string(n), "e2e="+string(n))
		p := n.prometheus()
		Eventually(func(g Gomega) {
			up := p.query(g, "up")
			g.Expect(up).To(HaveLen(2))
			for _, series := range up {
				g.Expect(series.Value[1]).To(Equal("1"), "%v", series.Metric)
			}
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

		Eventually(func(g Gomega) {
			var firing struct {
				Alerts []struct {
					Labels map[string]string
					State  string
				}
			}
			p.get(g, "alerts", nil, &firing)
			g.Expect(firing.Alerts).To(ContainElement(And(
				HaveField("State", "firing"),
				HaveField("Labels", And(HaveKeyWithValue("alertname", "DebugSessionSinkDead"), HaveKeyWithValue("sink", sink))),
			)))
		}).Should(Succeed())
		Expect(kubectl("get", "debugsink", sink, "-o", `jsonpath={.status.conditions[?(@.type=="Delivering")].status}`)).To(Equal("False"))

		Eventually(func(g Gomega) {
			var rules struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
			p.get(g, "rules", nil, &rules)
			known := 0
			for _, group := range rules.Groups {
				for _, rule := range group.Rules {
					g.Expect(rule.Health).To(Equal("ok"), "%s: %s", rule.Name, rule.LastError)
					known++
				}
			}
			g.Expect(known).To(BeNumerically(">=", 10))
		}).Should(Succeed())

		queries, err := alerts.Queries()
		Expect(err).NotTo(HaveOccurred())
		for _, expr := range queries {
			p.query(NewWithT(GinkgoT()), expr)
		}
		Expect(p.query(NewWithT(GinkgoT()), `sum by (class) (debugsession_class_sessions{phase="Active"})`)).NotTo(BeEmpty())
		n.end("hang")
	})
})

// prometheusServer is a Prometheus that runs as long as the spec.
type prometheusServer struct{ address string }

// prometheus scrapes all replicas each second, with the alerts of config/prometheus, which fire at once.
func (n namespace) prometheus() prometheusServer {
	GinkgoHelper()
	binary, err := exec.LookPath("prometheus")
	if err != nil && os.Getenv("CI") == "" {
		Skip("there is no prometheus: it is in Debian's package of that name")
	}
	Expect(err).NotTo(HaveOccurred())
	folder := GinkgoT().TempDir()
	write := func(name string, content any) string {
		text, err := yaml.Marshal(content)
		Expect(err).NotTo(HaveOccurred())
		if already, ok := content.(string); ok {
			text = []byte(already)
		}
		Expect(os.WriteFile(filepath.Join(folder, name), text, 0o600)).To(Succeed())
		return name
	}
	var replicas []string
	for pod := range strings.FieldsSeq(kubectl("-n", operatorNamespace, "get", "pods", "-l", operatorPods, "-o",
		"jsonpath={.items[*].metadata.name}")) {
		replicas = append(replicas, forward(pod).address)
	}
	config := write("prometheus.yaml", map[string]any{
		"global":     map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{write("rules.yaml", promptAlerts())},
		"scrape_configs": []map[string]any{{
			"job_name": "debugsession", "scheme": "https",
			"authorization":  map[string]any{"credentials_file": write("token", n.metricsToken())},
			"tls_config":     map[string]any{"server_name": metricsServerName, "ca_file": write("ca.crt", metricsCA())},
			"static_configs": []map[string]any{{"targets": replicas}},
		}},
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	p := prometheusServer{listener.Addr().String()}
	Expect(listener.Close()).To(Succeed())
	cmd := exec.Command(binary, "--config.file="+filepath.Join(folder, config), "--storage.tsdb.path="+filepath.Join(folder, "data"),
		"--web.listen-address="+p.address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = GinkgoWriter, GinkgoWriter
	Expect(cmd.Start()).To(Succeed())
	DeferCleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	Eventually(func(g Gomega) { p.query(g, "1") }).Should(Succeed())
	return p
}

// promptAlerts are the alerts of config/prometheus, without the time that each waits.
func promptAlerts() map[string]any {
	GinkgoHelper()
	rules, err := alerts.Rules()
	Expect(err).NotTo(HaveOccurred())
	for _, group := range rules["groups"].([]any) {
		for _, rule := range group.(map[string]any)["rules"].([]any) {
			delete(rule.(map[string]any), "for")
		}
	}
	return rules
}

type series struct {
	Metric map[string]string
	Value  []any // a time and a number as text
}

// query is what Prometheus answers now.
func (p prometheusServer) query(g Gomega, expr string) []series {
	GinkgoHelper()
	var data struct{ Result json.RawMessage }
	p.get(g, "query", url.Values{"query": {expr}}, &data)
	var all []series
	if data.Result[0] == '[' && strings.Contains(string(data.Result), "{") { // not of a scalar
		g.Expect(json.Unmarshal(data.Result, &all)).To(Succeed())
	}
	return all
}

func (p prometheusServer) get(g Gomega, what string, query url.Values, data any) {
	GinkgoHelper()
	response, err := http.Get("http://" + p.address + "/api/v1/" + what + "?" + query.Encode())
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	g.Expect(json.NewDecoder(response.Body).Decode(&answer)).To(Succeed())
	g.Expect(answer.Status).To(Equal("success"), "%s %s: %s", what, query.Get("query"), answer.Error)
}
