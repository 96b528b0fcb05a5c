package admission

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func TestAnswersAreCountedByTheirCode(t *testing.T) {
	m := NewMetrics()
	answer := func(response admission.Response) {
		m.counting("/stamp", func(context.Context, admission.Request) admission.Response { return response })(t.Context(), admission.Request{})
	}
	answer(admission.Allowed(""))
	answer(admission.Allowed(""))
	answer(forbidden("no"))
	answer(admission.Response{}) // as the API server takes it
	answer(invalid("spec.ttl: no"))
	answer(undecided("who knows"))
	func() {
		defer func() { _ = recover() }()
		m.counting("/stamp", func(context.Context, admission.Request) admission.Response { panic("lost") })(t.Context(), admission.Request{})
	}()
	if err := testutil.CollectAndCompare(m, strings.NewReader(`
# HELP debugsession_admission_answers_total Answers to admission requests, by webhook and by their status code: 200 if the request was allowed, from 500 if it could not be decided.
# TYPE debugsession_admission_answers_total counter
debugsession_admission_answers_total{code="200",webhook="/stamp"} 2
debugsession_admission_answers_total{code="403",webhook="/stamp"} 2
debugsession_admission_answers_total{code="422",webhook="/stamp"} 1
debugsession_admission_answers_total{code="500",webhook="/stamp"} 1
debugsession_admission_answers_total{code="503",webhook="/stamp"} 1
`)); err != nil {
		t.Error(err)
	}
}

func TestEveryWebhookIsCountedFromTheStart(t *testing.T) {
	m := NewMetrics()
	(&Server{Metrics: m}).Register(webhook.NewServer(webhook.Options{}))
	if have, want := testutil.CollectAndCount(m), 7*5; have != want {
		t.Errorf("%d series, want %d: five codes of each webhook", have, want)
	}
}
