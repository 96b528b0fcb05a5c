package recorder

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what becomes of audit records; docs/metrics.md lists it. It is a prometheus.Collector: register it once.
type Metrics struct {
	pending prometheus.Gauge
	records *prometheus.CounterVec
	dead    prometheus.Gauge
}

var _ prometheus.Collector = &Metrics{}

const (
	resultStored  = "stored"
	resultFailed  = "failed"
	resultDropped = "dropped"
)

// NewMetrics returns Metrics that have counted nothing.
func NewMetrics() *Metrics {
	m := &Metrics{
		pending: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "debugsession_audit_pending", Help: "Audit records that are waiting to be stored.",
		}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "debugsession_audit_records_total",
			Help: "Attempts to store an audit record, by result; and records dropped because too many were waiting.",
		}, []string{"result"}),
		dead: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "debugsession_audit_store_dead", Help: "1 while no audit record can be stored, else 0.",
		}),
	}
	for _, result := range []string{resultStored, resultFailed, resultDropped} {
		m.records.WithLabelValues(result)
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	m.pending.Describe(descs)
	m.records.Describe(descs)
	m.dead.Describe(descs)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.pending.Collect(metrics)
	m.records.Collect(metrics)
	m.dead.Collect(metrics)
}
