package alerts

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/admission"
	"debugsession.dev/operator/internal/metrics"
	"debugsession.dev/operator/internal/notify"
	"debugsession.dev/operator/internal/recorder"
	"debugsession.dev/operator/internal/transcriber"
)

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// rules are those of config/prometheus, and the file that Prometheus itself would read.
func rules(t *testing.T) (all []rule, file []byte) {
	t.Helper()
	content := struct {
		Groups []struct {
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}{}
	spec, err := Rules()
	if err == nil {
		file, err = yaml.Marshal(spec)
	}
	if err == nil {
		err = yaml.Unmarshal(file, &content)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range content.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no rules")
	}
	return all, file
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// promtool is Prometheus' own tool. Without CI set, a test that needs it is skipped where it is not.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		const reason = "there is no promtool: it is in Debian's package prometheus"
		if os.Getenv("CI") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	return path
}

// Prometheus' own tool parses each rule, and fires each alert by the series of testdata/alerts.yaml.
func TestAlertsFire(t *testing.T) {
	promtool := promtool(t)
	all, file := rules(t)
	folder := t.TempDir()
	cases := read(t, "testdata/alerts.yaml")
	for name, content := range map[string][]byte{"rules.yaml": file, "alerts.yaml": []byte(cases)} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"check", "rules", "--lint-fatal", "rules.yaml"}, {"test", "rules", "alerts.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = folder
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out.String())
		}
	}
	for _, r := range all {
		if !regexp.MustCompile(`alertname: ` + r.Alert + `\n\s+exp_alerts:\n\s+- `).MatchString(cases) {
			t.Errorf("nothing in testdata/alerts.yaml fires %s", r.Alert)
		}
	}
}

func TestEveryAlertHasARunbook(t *testing.T) {
	books := read(t, "../../docs/runbooks.md")
	all, _ := rules(t)
	var order []string
	for _, r := range all {
		order = append(order, r.Alert)
		if want := "https://debugsession.dev/operator/docs/runbooks.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: the runbook's URL is %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !strings.Contains(books, fmt.Sprintf("## %s\n\n%s. Severity: %s.\n", r.Alert, r.Annotations["summary"], r.Labels["severity"])) {
			t.Errorf("docs/runbooks.md has no section of %s with its summary and severity", r.Alert)
		}
	}
	var sections []string
	for _, match := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(books, -1) {
		sections = append(sections, match[1])
	}
	if !slices.Equal(sections, order) {
		t.Errorf("the runbooks are %v, the alerts %v", sections, order)
	}
	for _, link := range regexp.MustCompile(`\]\(#(\w+)\)`).FindAllStringSubmatch(books, -1) {
		if !slices.ContainsFunc(order, func(name string) bool { return strings.ToLower(name) == link[1] }) {
			t.Errorf("docs/runbooks.md links to #%s, which is no section", link[1])
		}
	}
}

// own are the names of the operator's own metrics, with their labels.
func own() map[string][]string {
	described := make(chan *prometheus.Desc)
	go func() {
		defer close(described)
		for _, collector := range []prometheus.Collector{
			metrics.New(func() ([]*v1alpha1.DebugSession, error) { return nil, nil }, func() int { return 0 }, clock.RealClock{}),
			metrics.CertificateExpiry(func() time.Time { return time.Time{} }),
			admission.NewMetrics(), notify.NewMetrics(), recorder.NewMetrics(), transcriber.NewMetrics(),
		} {
			collector.Describe(described)
		}
	}()
	names := map[string][]string{}
	for desc := range described {
		match := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{(.*?)\}`).FindStringSubmatch(desc.String())
		names[match[1]] = strings.FieldsFunc(match[2], func(r rune) bool { return r == ',' })
	}
	return names
}

func TestEveryMetricIsDocumented(t *testing.T) {
	documented := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(debugsession_\\w+)` \\| \\w+ \\| (.*?) ?\\|").
		FindAllStringSubmatch(read(t, "../../docs/metrics.md"), -1) {
		var labels []string
		for _, label := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			labels = append(labels, label[1])
		}
		documented[row[1]] = labels
	}
	if want := own(); !maps.EqualFunc(documented, want, slices.Equal[[]string]) {
		t.Errorf("docs/metrics.md has\n%v\nthe operator\n%v", documented, want)
	}
}

// A rule of a metric that there is not never fires.
func TestAlertsAreOfMetricsThatThereAre(t *testing.T) {
	names := own()
	all, _ := rules(t)
	for _, r := range all {
		for _, name := range regexp.MustCompile(`debugsession_\w+`).FindAllString(r.Expr, -1) {
			if _, there := names[name]; !there {
				t.Errorf("%s is of %s, which there is not", r.Alert, name)
			}
		}
	}
}
