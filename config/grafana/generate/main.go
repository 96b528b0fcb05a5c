// Command generate writes the Grafana dashboard to standard output: `make manifests` runs it.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	board, err := build()
	if err == nil {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(board)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// query is one line of a panel: what Prometheus is asked, and what the line is called.
type query struct{ expr, legend string }

// panel is one picture. A number is that of now, and red from some value on.
type panel struct {
	title, about string
	unit         string
	number       bool
	redFrom      float64
	queries      []query
}

// row is a line of panels under a heading.
type row struct {
	title  string
	height uint32
	panels []panel
}

// rows ask, from top to bottom: does anything need somebody now, what goes on, does it end, do people hear of it, is it written down, and is
// the operator well. Only the leader counts sessions, so that a sum over replicas counts each once.
var rows = []row{
	{"Needs somebody", 4, []panel{
		{title: "Past its end", about: "How long a session is past expiresAt that has not ended", unit: "s", number: true, redFrom: 60, queries: []query{{"max(debugsession_overdue_seconds)", ""}}},
		{title: "Ending without progress", about: "How long a session has been Ending without a change", unit: "s", number: true, redFrom: 60, queries: []query{{"max(debugsession_ending_seconds)", ""}}},
		{title: "Longest wait for approval", unit: "s", number: true, redFrom: 600, queries: []query{{"max(debugsession_approval_wait_seconds)", ""}}},
		{title: "Reviews overdue", about: "Emergencies that nobody has reviewed in time", unit: "short", number: true, redFrom: 1, queries: []query{{"sum(debugsession_reviews_overdue)", ""}}},
		{title: "Dead sinks", about: "Where no notification arrives", unit: "short", number: true, redFrom: 1, queries: []query{{"sum(max by (sink) (debugsession_sink_dead))", ""}}},
		{title: "Audit store dead", about: "1 while no record can be stored", unit: "short", number: true, redFrom: 1, queries: []query{{"max(debugsession_audit_store_dead)", ""}}},
	}},
	{"Sessions", 8, []panel{
		{title: "By phase", unit: "short", queries: []query{{`sum by (phase) (debugsession_sessions{phase!="Ended"})`, "{{phase}}"}}},
		{title: "Active by class", unit: "short", queries: []query{{`sum by (class) (debugsession_class_sessions{phase="Active"})`, "{{class}}"}}},
		{title: "Ended, by outcome", about: "In an hour", unit: "short", queries: []query{{"sum by (outcome) (increase(debugsession_outcomes_total[1h]))", "{{outcome}}"}}},
		{title: "Refused, by reason", about: "Sessions that were rejected, in an hour", unit: "short", queries: []query{{`sum by (reason) (increase(debugsession_end_reasons_total{outcome="Rejected"}[1h]))`, "{{reason}}"}}},
	}},
	{"Start and end", 8, []panel{
		{title: "From creation to a running debugger", about: "p50 and p95 of an hour, waiting for approval included", unit: "s", queries: []query{
			{"histogram_quantile(0.5, sum by (le, mode) (increase(debugsession_ready_seconds_bucket[1h])))", "p50 {{mode}}"},
			{"histogram_quantile(0.95, sum by (le, mode) (increase(debugsession_ready_seconds_bucket[1h])))", "p95 {{mode}}"},
		}},
		{title: "Late ends", about: "From expiresAt until nothing is left: p50 and p99 of an hour", unit: "s", queries: []query{
			{"histogram_quantile(0.5, sum by (le, mode) (increase(debugsession_late_seconds_bucket[1h])))", "p50 {{mode}}"},
			{"histogram_quantile(0.99, sum by (le, mode) (increase(debugsession_late_seconds_bucket[1h])))", "p99 {{mode}}"},
		}},
		{title: "Wait for approval", about: "Of the session of each class that has waited the longest", unit: "s", queries: []query{{"max by (class) (debugsession_approval_wait_seconds)", "{{class}}"}}},
	}},
	{"Notifications", 8, []panel{
		{title: "Messages to sinks", unit: "ops", queries: []query{{"sum by (sink, result) (rate(debugsession_sink_messages_total[5m]))", "{{sink}} {{result}}"}}},
		{title: "Messages that are not told any more", about: "In an hour", unit: "short", queries: []query{{"sum by (sink, reason) (increase(debugsession_sink_dropped_total[1h]))", "{{sink}} {{reason}}"}}},
	}},
	{"Records", 8, []panel{
		{title: "Audit records to be stored", unit: "short", queries: []query{{"max(debugsession_audit_pending)", "to be stored"}}},
		{title: "Audit records", unit: "ops", queries: []query{{"sum by (result) (rate(debugsession_audit_records_total[5m]))", "{{result}}"}}},
		{title: "Transcripts that are made", unit: "short", queries: []query{{"sum(debugsession_transcripts_following)", "followed"}}},
		{title: "Parts of transcripts", unit: "ops", queries: []query{{"sum by (result) (rate(debugsession_transcript_parts_total[5m]))", "{{result}}"}}},
	}},
	{"The operator", 8, []panel{
		{title: "Admission, p99", unit: "s", queries: []query{{"histogram_quantile(0.99, sum by (le, webhook) (rate(controller_runtime_webhook_latency_seconds_bucket[5m])))", "{{webhook}}"}}},
		{title: "Refused at admission, and errors", unit: "ops", queries: []query{{`sum by (webhook, code) (rate(debugsession_admission_answers_total{code!="200"}[5m]))`, "{{webhook}} {{code}}"}}},
		{title: "Requests to the API server", unit: "ops", queries: []query{{"sum by (method, code) (rate(rest_client_requests_total[5m]))", "{{method}} {{code}}"}}},
		{title: "Memory", unit: "bytes", queries: []query{{"process_resident_memory_bytes and on (instance) debugsession_pod_watches", "{{instance}}"}}},
	}},
}

// width is how many columns Grafana has.
const width = 24

// build makes a dashboard of the schema that Grafanas before version 12 import, too.
func build() (dashboard.Dashboard, error) { //nolint:staticcheck // deprecated for a schema that is newer than many Grafanas
	source := common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
	//nolint:staticcheck // as above
	board := dashboard.NewDashboardBuilder("DebugSession").Uid("debugsession").Tags([]string{"kubernetes", "debugsession"}).
		Time("now-24h", "now").Refresh("30s").Readonly().
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus"))
	for _, row := range rows {
		board.WithRow(dashboard.NewRowBuilder(row.title))
		each := uint32(width / len(row.panels))
		for _, panel := range row.panels {
			board.WithPanel(panel.builder(source, each, row.height))
		}
	}
	return board.Build()
}

func (p panel) builder(source common.DataSourceRef, width, height uint32) cog.Builder[dashboard.Panel] {
	if p.number {
		number := stat.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).NoValue("0").Datasource(source).Span(width).Height(height).
			Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps([]dashboard.Threshold{
				{Color: "green"}, {Value: cog.ToPtr(p.redFrom), Color: "red"},
			}))
		for _, q := range p.queries {
			number.WithTarget(q.builder())
		}
		return number
	}
	lines := timeseries.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).Min(0).Datasource(source).Span(width).Height(height)
	for _, q := range p.queries {
		lines.WithTarget(q.builder())
	}
	return lines
}

func (q query) builder() *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(q.expr).LegendFormat(q.legend).Range()
}
