package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/internal/kube/podexec"
)

// lines are what was logged.
type lines struct {
	mu     sync.Mutex
	logged []string
}

func (l *lines) logger() logr.Logger {
	return funcr.New(func(_, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.logged = append(l.logged, args)
	}, funcr.Options{})
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.logged)
}

// recorded is a provider whose spans are kept.
func recorded(t *testing.T) (*Provider, *tracetest.InMemoryExporter) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	return newProvider(perMillion, sdktrace.WithSyncer(spans)), spans
}

// asked is an API server that notes the traces of its requests, and their paths.
type asked struct {
	*httptest.Server
	requests []string
}

func newAsked(t *testing.T) *asked {
	t.Helper()
	a := &asked{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests = append(a.requests, r.Method+" "+r.URL.String()+" "+r.Header.Get("traceparent"))
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *asked) client(t *testing.T, p *Provider) *http.Client {
	t.Helper()
	config := &rest.Config{Host: a.URL, BearerToken: "t0ken"}
	p.Wrap(config)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func get(ctx context.Context, t *testing.T, client *http.Client, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
}

func spanNamed(t *testing.T, spans *tracetest.InMemoryExporter, name string) tracetest.SpanStub {
	t.Helper()
	var names []string
	for _, span := range spans.GetSpans() {
		if span.Name == name {
			return span
		}
		names = append(names, span.Name)
	}
	t.Fatalf("there is no span %q, but %q", name, names)
	return tracetest.SpanStub{}
}

func value(span tracetest.SpanStub, key string) string {
	for _, attribute := range span.Attributes {
		if string(attribute.Key) == key {
			return attribute.Value.String()
		}
	}
	return ""
}

func TestPassAndItsRequestsAreOneTrace(t *testing.T) {
	p, spans := recorded(t)
	server := newAsked(t)
	client := server.client(t, p)
	said := &lines{}
	ctx := log.IntoContext(t.Context(), said.logger())

	_, err := p.Reconciler("DebugSession", reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		log.FromContext(ctx).Info("reconciling")
		get(ctx, t, client, server.URL+"/api/v1/namespaces/shop/pods/web-0?timeout=10s")
		get(ctx, t, client, server.URL+"/api/v1/namespaces/shop/secrets/hush")
		get(ctx, t, client, server.URL+"/api/v1/namespaces/shop/pods?watch=true")
		return reconcile.Result{RequeueAfter: time.Minute}, nil
	})).Reconcile(ctx, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "hang"}})
	if err != nil {
		t.Fatal(err)
	}

	pass := spanNamed(t, spans, "Reconcile DebugSession")
	if value(pass, "k8s.namespace.name") != "shop" || value(pass, "k8s.debugsession.name") != "hang" || value(pass, "controller.requeue_after_seconds") != "60" {
		t.Errorf("the pass says %v", pass.Attributes)
	}
	traceID := pass.SpanContext.TraceID()
	for i, name := range []string{"GET pods", "GET secrets"} {
		request := spanNamed(t, spans, name)
		if request.Parent.SpanID() != pass.SpanContext.SpanID() || request.SpanContext.TraceID() != traceID {
			t.Errorf("%s is not below the pass", name)
		}
		if want := fmt.Sprintf("-%s-%s-01", traceID, request.SpanContext.SpanID()); !strings.HasSuffix(server.requests[i], want) {
			t.Errorf("the API server was asked %q, without %s", server.requests[i], want)
		}
		if value(request, "http.response.status_code") != "200" {
			t.Errorf("%s says %v", name, request.Attributes)
		}
	}
	if !strings.HasPrefix(server.requests[0], "GET /api/v1/namespaces/shop/pods/web-0?timeout=10s ") {
		t.Errorf("the request is not as it was: %s", server.requests[0])
	}
	if have := spans.GetSpans(); len(have) != 3 || len(server.requests) != 3 || !strings.HasSuffix(server.requests[2], " ") {
		t.Errorf("a watch has a span or a trace: %d spans, requests %q", len(have), server.requests)
	}
	told := fmt.Sprintf("%+v", spans.GetSpans())
	for _, secret := range []string{"web-0", "hush", "t0ken", "timeout="} {
		if strings.Contains(told, secret) {
			t.Errorf("spans tell %s: %s", secret, told)
		}
	}
	if logged := said.all(); len(logged) != 1 || !strings.Contains(logged[0], fmt.Sprintf(`"traceID"=%q`, traceID)) {
		t.Errorf("the pass logs %q, without its trace %s", logged, traceID)
	}
}

func TestErrorsAreNamedAndNotQuoted(t *testing.T) {
	for want, err := range map[string]error{
		"NotFound":                      fmt.Errorf("reading: %w", apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "hush")),
		"*errors.errorString":           fmt.Errorf("reading: %w", errors.New("hush")),
		"context.deadlineExceededError": context.DeadlineExceeded,
	} {
		p, spans := recorded(t)
		_, got := p.Reconciler("DebugSession", reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, err
		})).Reconcile(t.Context(), reconcile.Request{})
		span := spanNamed(t, spans, "Reconcile DebugSession")
		if !errors.Is(got, err) || span.Status.Code != codes.Error || span.Status.Description != want || value(span, "error.type") != want {
			t.Errorf("%v: %v with %v, want %s", err, span.Status, span.Attributes, want)
		}
		if said := fmt.Sprintf("%+v", span); strings.Contains(said, "hush") {
			t.Errorf("the span quotes an error: %s", said)
		}
	}
}

func TestPanicIsNotQuoted(t *testing.T) {
	p, spans := recorded(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_, _ = p.Reconciler("DebugSession", reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
			panic("hush")
		})).Reconcile(t.Context(), reconcile.Request{})
	}()
	if said := fmt.Sprintf("%+v", spanNamed(t, spans, "Reconcile DebugSession")); strings.Contains(said, "hush") {
		t.Errorf("the span quotes a panic: %s", said)
	}
}

func TestPaths(t *testing.T) {
	for path, want := range map[string]address{
		"/api/v1/namespaces/shop/pods":                                           {"pods", "/api/v1/namespaces/{namespace}/pods"},
		"/api/v1/namespaces/shop/pods/web-0":                                     {"pods", "/api/v1/namespaces/{namespace}/pods/{name}"},
		"/api/v1/namespaces/shop/pods/web-0/ephemeralcontainers":                 {"pods/ephemeralcontainers", "/api/v1/namespaces/{namespace}/pods/{name}/ephemeralcontainers"},
		"/api/v1/namespaces/shop":                                                {"namespaces", "/api/v1/namespaces/{name}"},
		"/api/v1/namespaces/shop/finalize":                                       {"namespaces/finalize", "/api/v1/namespaces/{name}/finalize"},
		"/api/v1/nodes/node-1":                                                   {"nodes", "/api/v1/nodes/{name}"},
		"/apis/debugsession.dev/v1alpha1/debugclasses/standard/status":           {"debugclasses/status", "/apis/debugsession.dev/v1alpha1/debugclasses/{name}/status"},
		"/apis/apps/v1/namespaces/shop/deployments/api/scale":                    {"deployments/scale", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"},
		"/k8s/clusters/c-1/api/v1/namespaces/shop/secrets/hush":                  {"secrets", "/api/v1/namespaces/{namespace}/secrets/{name}"},
		"/api/v1/namespaces/shop/services/https:hush:443/proxy/and/what/follows": {"services/proxy", "/api/v1/namespaces/{namespace}/services/{name}/proxy"},
		"/apis/apps/v1": {"", "/apis/apps/v1"},
		"/api":          {"", "/api"},
		"/version":      {"", ""},
	} {
		if have := parse(path); have != want {
			t.Errorf("%s is %+v, want %+v", path, have, want)
		}
	}
}

func TestEndlessRequestsHaveNoSpan(t *testing.T) {
	p, spans := recorded(t)
	server := newAsked(t)
	client := server.client(t, p)
	for _, path := range []string{
		"/api/v1/pods?watch=1", "/api/v1/namespaces/shop/pods/web-0/log?follow=true", "/api/v1/namespaces/shop/pods/web-0/exec?command=sh",
		"/api/v1/namespaces/shop/pods/web-0/attach", "/api/v1/namespaces/shop/pods/web-0/portforward",
		"/apis/coordination.k8s.io/v1/namespaces/debugsession-system/leases/debugsession-operator",
	} {
		get(t.Context(), t, client, server.URL+path)
	}
	if have := spans.GetSpans(); len(have) > 0 || len(server.requests) != 6 {
		t.Errorf("%d requests and spans of %v", len(server.requests), have)
	}
	get(t.Context(), t, client, server.URL+"/api/v1/namespaces/shop/pods/web-0/log?tailLines=1")
	spanNamed(t, spans, "GET pods/log")
}

// hooks is a webhook server that keeps what is registered.
type hooks struct {
	*webhooks
	registered map[string]http.Handler
}

func (h hooks) Register(path string, hook http.Handler) { h.registered[path] = hook }

func TestAdmissionGoesOnWithTheTraceOfTheAPIServer(t *testing.T) {
	p, spans := recorded(t)
	server := hooks{registered: map[string]http.Handler{}}
	p.Webhooks(server).Register("/stamp", &admission.Webhook{Handler: admission.HandlerFunc(func(ctx context.Context, _ admission.Request) admission.Response {
		return admission.Errored(http.StatusForbidden, errors.New("hush"))
	})})
	hook := server.registered["/stamp"].(*admission.Webhook)
	asking := httptest.NewRequest(http.MethodPost, "/stamp", http.NoBody)
	asking.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	request := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Namespace: "shop", Name: "hang", Operation: admissionv1.Create}}
	request.Kind.Kind = "DebugSession"
	hook.Handle(hook.WithContextFunc(t.Context(), asking), request)

	span := spanNamed(t, spans, "Admit /stamp")
	if span.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || span.Parent.SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("the span is of trace %s below %s", span.SpanContext.TraceID(), span.Parent.SpanID())
	}
	for key, want := range map[string]string{
		"k8s.namespace.name": "shop", "k8s.debugsession.name": "hang", "admission.operation": "CREATE", "admission.dry_run": "false",
		"admission.allowed": "false", "admission.code": "403",
	} {
		if have := value(span, key); have != want {
			t.Errorf("%s is %q, want %q", key, have, want)
		}
	}
	if said := fmt.Sprintf("%+v", span); strings.Contains(said, "hush") {
		t.Errorf("the span quotes an answer: %s", said)
	}
}

type hanging struct{ err error }

func (h hanging) Exec(context.Context, types.NamespacedName, string, []string) error { return h.err }

func TestCommandsAreSpans(t *testing.T) {
	p, spans := recorded(t)
	if err := p.Exec(hanging{context.DeadlineExceeded}).Exec(t.Context(), types.NamespacedName{Name: "web-0"}, "debugger", []string{"hush"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the command returns %v", err)
	}
	span := spanNamed(t, spans, "POST pods/exec")
	if said := fmt.Sprintf("%+v", span); span.Status.Code != codes.Error || strings.Contains(said, "hush") || strings.Contains(said, "web-0") {
		t.Errorf("the span is %s", said)
	}
}

func TestWithoutEndpointNothingIsWrapped(t *testing.T) {
	p, err := New(t.Context(), Options{SamplingRatePerMillion: perMillion}, log.Log)
	if p != nil || err != nil {
		t.Fatalf("there is a provider, %v, or an error, %v", p, err)
	}
	config := &rest.Config{}
	p.Wrap(config)
	if config.WrapTransport != nil {
		t.Error("requests are wrapped")
	}
	next := &reconciler{}
	if p.Reconciler("DebugSession", next) != reconcile.Reconciler(next) {
		t.Error("passes are wrapped")
	}
	if server := (hooks{}); p.Webhooks(&server) != &server {
		t.Error("webhooks are wrapped")
	}
	if exec := (hanging{}); p.Exec(exec) != podexec.Interface(exec) {
		t.Error("commands are wrapped")
	}
	p.Shutdown()
}

func TestUnsampledPassIsNotLoggedAsTraced(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	p := newProvider(0, sdktrace.WithSyncer(spans))
	said := &lines{}
	_, err := p.Reconciler("DebugSession", reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		log.FromContext(ctx).Info("reconciling")
		return reconcile.Result{}, nil
	})).Reconcile(log.IntoContext(t.Context(), said.logger()), reconcile.Request{})
	if have := spans.GetSpans(); err != nil || len(have) > 0 {
		t.Errorf("%v, spans %v", err, have)
	}
	if logged := said.all(); len(logged) != 1 || strings.Contains(logged[0], "traceID") {
		t.Errorf("the pass logs %q", logged)
	}
}

func TestOptions(t *testing.T) {
	for what, tc := range map[string]struct {
		options Options
		wrong   string
	}{
		"a host and a port":  {Options{Endpoint: "collector:4317"}, ""},
		"without TLS":        {Options{Endpoint: "http://collector:4317"}, ""},
		"with TLS":           {Options{Endpoint: "https://collector"}, ""},
		"no port":            {Options{Endpoint: "collector"}, "must be host:port"},
		"another scheme":     {Options{Endpoint: "grpc://collector:4317"}, "must be host:port"},
		"with a password":    {Options{Endpoint: "https://u:p@collector"}, "must be host:port"},
		"more than all":      {Options{SamplingRatePerMillion: perMillion + 1}, "must be between 0 and 1000000"},
		"fewer than nothing": {Options{SamplingRatePerMillion: -1}, "must be between 0 and 1000000"},
	} {
		p, err := New(t.Context(), tc.options, log.Log)
		if tc.wrong == "" && (err != nil || p == nil) || tc.wrong != "" && (err == nil || !strings.Contains(err.Error(), tc.wrong)) {
			t.Errorf("%s: %v", what, err)
		}
		p.Shutdown()
	}
}

// A collector that does not answer holds up neither a pass nor the end, and the log says so once.
func TestUnreachableCollectorHoldsUpNothing(t *testing.T) {
	said := &lines{}
	p, err := New(t.Context(), Options{Endpoint: "http://127.0.0.1:1", SamplingRatePerMillion: perMillion}, said.logger())
	if err != nil {
		t.Fatal(err)
	}
	passes := p.Reconciler("DebugSession", reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, nil
	}))
	started := time.Now()
	for range 10_000 {
		if _, err := passes.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	p.Shutdown()
	if took := time.Since(started); took > 2*flushPatience {
		t.Errorf("10,000 passes and the end took %v", took)
	}
	if logged := said.all(); len(logged) != 1 || !strings.Contains(logged[0], "cannot send traces") {
		t.Errorf("the log says %q", logged)
	}
}

func TestErrorsAreLoggedOnceInAWhile(t *testing.T) {
	now := time.Now()
	said := &lines{}
	e := &errorLog{log: said.logger(), now: func() time.Time { return now }}
	for _, pause := range []time.Duration{0, time.Second, exportPause, 0} {
		now = now.Add(pause)
		e.Handle(errors.New("refused"))
	}
	if logged := said.all(); len(logged) != 2 {
		t.Errorf("%d lines, want 2: %q", len(logged), logged)
	}
}
