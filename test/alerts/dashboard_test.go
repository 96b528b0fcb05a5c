package alerts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// queries are what the dashboard asks Prometheus.
func queries(t *testing.T) []string {
	t.Helper()
	all, err := Queries()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("the dashboard asks only %d questions", len(all))
	}
	return all
}

// Prometheus' own tool parses what the dashboard asks.
func TestDashboardQueriesParse(t *testing.T) {
	tool := promtool(t)
	rules := []map[string]string{}
	for i, expr := range queries(t) {
		rules = append(rules, map[string]string{"record": fmt.Sprintf("dashboard:query:%d", i), "expr": expr})
	}
	file, err := yaml.Marshal(map[string]any{"groups": []map[string]any{{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "check", "rules", "--lint-fatal", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// What it asks for is there, and each metric of the operator's is shown.
func TestDashboardIsOfTheMetricsThatThereAre(t *testing.T) {
	unseen := own()
	delete(unseen, "debugsession_pod_watches")                          // of use to alerts
	delete(unseen, "debugsession_refusals_suppressed_total")            // only how many were not told
	delete(unseen, "debugsession_reviews_pending")                      // that one is due is no news until it is overdue
	delete(unseen, "debugsession_certificate_expiry_timestamp_seconds") // an alert tells
	there := own()
	for _, expr := range queries(t) {
		for _, name := range regexp.MustCompile(`debugsession_\w+`).FindAllString(expr, -1) {
			name = strings.TrimSuffix(name, "_bucket")
			if _, known := there[name]; !known {
				t.Errorf("%s is of %s, which there is not", expr, name)
			}
			delete(unseen, name)
		}
	}
	for name := range unseen {
		t.Errorf("the dashboard does not show %s", name)
	}
}
