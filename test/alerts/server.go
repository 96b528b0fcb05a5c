package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/test/ports"
)

// ErrNoPrometheus is that this machine has none.
var ErrNoPrometheus = errors.New("there is no prometheus: it is in Debian's package of that name")

// Hastened are the rules as a test has time for them: what they say has to hold for a second, and what they look back over is 20 seconds.
// What they compare, and with what, is as it is.
func Hastened(rules map[string]any) map[string]any {
	window := regexp.MustCompile(`\[\d+[mh]\]`)
	for _, group := range rules["groups"].([]any) {
		for _, each := range group.(map[string]any)["rules"].([]any) {
			rule := each.(map[string]any)
			rule["expr"] = window.ReplaceAllString(rule["expr"].(string), "[20s]")
			if _, waits := rule["for"]; waits {
				rule["for"] = "1s"
			}
		}
	}
	return rules
}

// Server is a Prometheus that runs: Debian's, not one of the tests' own.
type Server struct {
	address string
	cmd     *exec.Cmd
}

// Start has a Prometheus scrape, and evaluate the rules, as often as interval says, in a folder of its own. It returns before that answers.
func Start(folder string, interval time.Duration, rules, scraped map[string]any, log io.Writer) (*Server, error) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		return nil, ErrNoPrometheus
	}
	config := filepath.Join(folder, "prometheus.yaml")
	for path, content := range map[string]any{
		filepath.Join(folder, "rules.yaml"): rules,
		config: map[string]any{
			"global":         map[string]any{"scrape_interval": interval.String(), "evaluation_interval": interval.String()},
			"rule_files":     []string{"rules.yaml"},
			"scrape_configs": []map[string]any{scraped},
		},
	} {
		text, err := yaml.Marshal(content)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, err
		}
	}
	port, err := ports.Free()
	if err != nil {
		return nil, err
	}
	s := &Server{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	s.cmd = exec.Command(binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), //nolint:gosec // Debian's
		"--web.listen-address="+s.address, "--log.level=warn")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	return s, s.cmd.Start()
}

// Stop ends it.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// Line is one series of an answer.
type Line struct {
	Labels map[string]string
	Points []Point
}

// Point is the value of a series at a time.
type Point struct {
	At    time.Time
	Value float64
}

// UnmarshalJSON reads [seconds, "value"].
func (p *Point) UnmarshalJSON(text []byte) error {
	var seconds float64
	var value string
	if err := json.Unmarshal(text, &[]any{&seconds, &value}); err != nil {
		return err
	}
	var err error
	p.At = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	p.Value, err = strconv.ParseFloat(value, 64)
	return err
}

// Query returns what there is now of an expression, in one point each.
func (s *Server) Query(ctx context.Context, expr string) ([]Line, error) {
	return s.lines(ctx, "query", url.Values{"query": {expr}})
}

// QueryRange returns an expression over a time, as a dashboard asks for it.
func (s *Server) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Line, error) {
	at := func(t time.Time) []string {
		return []string{strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)}
	}
	return s.lines(ctx, "query_range", url.Values{"query": {expr}, "start": at(from), "end": at(to), "step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)}})
}

func (s *Server) lines(ctx context.Context, what string, query url.Values) ([]Line, error) {
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := s.get(ctx, what, query, &data); err != nil || data.ResultType == "scalar" {
		return nil, err
	}
	var result []struct {
		Metric map[string]string
		Value  *Point
		Values []Point
	}
	if err := json.Unmarshal(data.Result, &result); err != nil {
		return nil, err
	}
	lines := make([]Line, 0, len(result))
	for _, series := range result {
		if series.Value != nil {
			series.Values = []Point{*series.Value}
		}
		lines = append(lines, Line{series.Metric, series.Values})
	}
	return lines, nil
}

// Alert is one that pends or fires.
type Alert struct {
	Labels, Annotations map[string]string
	State               string
}

// Alerts are those that pend or fire.
func (s *Server) Alerts(ctx context.Context) ([]Alert, error) {
	var data struct{ Alerts []Alert }
	err := s.get(ctx, "alerts", nil, &data)
	return data.Alerts, err
}

// Rule is one that is evaluated.
type Rule struct{ Name, Health, LastError string }

// Rules are those that are evaluated.
func (s *Server) Rules(ctx context.Context) ([]Rule, error) {
	var data struct {
		Groups []struct{ Rules []Rule }
	}
	err := s.get(ctx, "rules", nil, &data)
	var all []Rule
	for _, group := range data.Groups {
		all = append(all, group.Rules...)
	}
	return all, err
}

func (s *Server) get(ctx context.Context, what string, query url.Values, data any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/api/v1/"+what+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("prometheus answers %s: %w", response.Status, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("prometheus answers %q for %s", answer.Error, query.Get("query"))
	}
	return nil
}
