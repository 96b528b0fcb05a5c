package notify

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Why a message was dropped.
const (
	dropQueueFull = "queue-full" // too many of no session wait for the sink
	dropDeleted   = "deleted"    // too many deleted sessions wait for the sink
	dropLimited   = "limited"    // a user, or all together, are refused too often
)

// Metrics counts what is sent to sinks; docs/metrics.md lists it. It is a prometheus.Collector: register it once.
type Metrics struct {
	messages   *prometheus.CounterVec
	drops      *prometheus.CounterVec
	deadSinks  *prometheus.GaugeVec
	suppressed prometheus.Counter
}

var _ prometheus.Collector = &Metrics{}

// NewMetrics returns Metrics that have counted nothing.
func NewMetrics() *Metrics {
	return &Metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "debugsession_sink_messages_total",
			Help: "Attempts to deliver a message to a debug sink, by result.",
		}, []string{"sink", "result"}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "debugsession_sink_dropped_total",
			Help: "Messages to a debug sink that were dropped because too many were waiting.",
		}, []string{"sink", "reason"}),
		deadSinks: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "debugsession_sink_dead",
			Help: "1 while every delivery to a debug sink fails, else 0.",
		}, []string{"sink"}),
		suppressed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "debugsession_refusals_suppressed_total",
			Help: "Admission refusals that were not reported to debug sinks because there were too many.",
		}),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	m.messages.Describe(descs)
	m.drops.Describe(descs)
	m.deadSinks.Describe(descs)
	m.suppressed.Describe(descs)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.messages.Collect(metrics)
	m.drops.Collect(metrics)
	m.deadSinks.Collect(metrics)
	m.suppressed.Collect(metrics)
}

// serves has a sink's series be there from the start, at zero.
func (m *Metrics) serves(sink string) {
	for _, result := range []string{"delivered", "failed"} {
		m.messages.WithLabelValues(sink, result)
	}
	for _, reason := range []string{dropQueueFull, dropDeleted} {
		m.drops.WithLabelValues(sink, reason)
	}
	m.deadSinks.WithLabelValues(sink)
}

func (m *Metrics) sent(sink string, delivered bool) {
	result := "failed"
	if delivered {
		result = "delivered"
	}
	m.messages.WithLabelValues(sink, result).Inc()
}

func (m *Metrics) dropped(sink, reason string) { m.drops.WithLabelValues(sink, reason).Inc() }

func (m *Metrics) dead(sink string, dead bool) {
	value := 0.0
	if dead {
		value = 1
	}
	m.deadSinks.WithLabelValues(sink).Set(value)
}

// forgets drops the series of a sink that is gone.
func (m *Metrics) forgets(sink string) {
	of := prometheus.Labels{"sink": sink}
	m.messages.DeletePartialMatch(of)
	m.drops.DeletePartialMatch(of)
	m.deadSinks.DeletePartialMatch(of)
}
