package transcriber

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what becomes of transcripts; docs/metrics.md lists it. It is a prometheus.Collector: register it once.
type Metrics struct {
	following prometheus.Gauge
	parts     *prometheus.CounterVec
}

var _ prometheus.Collector = &Metrics{}

const (
	resultStored = "stored"
	resultFailed = "failed"
)

// NewMetrics returns Metrics that have counted nothing.
func NewMetrics() *Metrics {
	m := &Metrics{
		following: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "debugsession_transcripts_following", Help: "Debugger logs that are being followed for transcripts.",
		}),
		parts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "debugsession_transcript_parts_total", Help: "Attempts to store a part of a transcript, by result.",
		}, []string{"result"}),
	}
	for _, result := range []string{resultStored, resultFailed} {
		m.parts.WithLabelValues(result)
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	m.following.Describe(descs)
	m.parts.Describe(descs)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.following.Collect(metrics)
	m.parts.Collect(metrics)
}
