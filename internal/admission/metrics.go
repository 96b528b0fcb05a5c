package admission

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Metrics counts the answers to admission requests; docs/metrics.md lists it. It is a prometheus.Collector: register it once.
//
// controller_runtime_webhook_requests_total does not tell one answer from another: its code is that of HTTP, which is 200 for a refusal too.
type Metrics struct {
	answers *prometheus.CounterVec
}

var _ prometheus.Collector = &Metrics{}

// NewMetrics returns Metrics that have counted nothing.
func NewMetrics() *Metrics {
	return &Metrics{answers: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "debugsession_admission_answers_total",
		Help: "Answers to admission requests, by webhook and by their status code: 200 if the request was allowed, from 500 if it could not be decided.",
	}, []string{"webhook", "code"})}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) { m.answers.Describe(descs) }

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) { m.answers.Collect(metrics) }

// counting counts what a handler answers at a path. What is usual is there from the start, at zero, so that a rate has the first of it.
func (m *Metrics) counting(path string, handle admission.HandlerFunc) admission.HandlerFunc {
	if m == nil {
		return handle
	}
	for _, usual := range []int32{http.StatusOK, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		m.answers.WithLabelValues(path, strconv.Itoa(int(usual)))
	}
	return func(ctx context.Context, req admission.Request) admission.Response {
		code := int32(http.StatusInternalServerError) // of a panic, which controller-runtime answers
		defer func() { m.answers.WithLabelValues(path, strconv.Itoa(int(code))).Inc() }()
		response := handle(ctx, req)
		code = codeOf(&response)
		return response
	}
}

// codeOf is the status code of an answer, as the API server takes it.
func codeOf(response *admission.Response) int32 {
	switch {
	case response.Allowed:
		return http.StatusOK
	case response.Result == nil || response.Result.Code == 0:
		return http.StatusForbidden
	}
	return response.Result.Code
}
