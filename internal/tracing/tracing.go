// Package tracing has the operator's passes, its requests to the API server and its answers to admission requests be OpenTelemetry
// spans, and sends them to a collector. What a span says is bounded and holds no name of an object but the reconciled one's, no query,
// no body, no header and no text of an error: see docs/tracing.md.
//
// A nil *Provider is what an operator has that is not told where to send spans. It makes none, and wraps nothing.
package tracing

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// perMillion is the sampling rate that takes everything.
const perMillion = 1_000_000

const (
	// flushPatience is how long the end of the process waits for spans to be sent. With the manager's own time to end it stays below
	// the pod's grace period.
	flushPatience = 3 * time.Second

	// exportPause is the least time between two lines of the log about spans that cannot be sent.
	exportPause = 10 * time.Minute
)

// traceContext is how a trace goes on in the API server, and comes from it. Baggage does not: it is what others write.
var traceContext = propagation.TraceContext{}

// Options say where spans go and how many there are, in the words of Kubernetes' TracingConfiguration.
type Options struct {
	// Endpoint is the collector that receives OTLP over gRPC, as host:port, or as a URL whose scheme says whether TLS is used. Left
	// out, there are no spans.
	Endpoint string
	// SamplingRatePerMillion is how many of a million traces are sent. One that has begun in the API server is sent if it is there.
	SamplingRatePerMillion int
	// Version is the operator's own, Namespace where it runs.
	Version, Namespace string
}

// Provider makes spans.
type Provider struct {
	sdk    *sdktrace.TracerProvider
	tracer trace.Tracer
}

// New returns a provider that sends spans to a collector, or nil if there is no endpoint. It does not wait for the collector, nor does
// anything else: while it does not answer, spans are kept up to a bound and then dropped.
func New(ctx context.Context, options Options, log logr.Logger) (*Provider, error) {
	if options.SamplingRatePerMillion < 0 || options.SamplingRatePerMillion > perMillion {
		return nil, fmt.Errorf("--tracing-sampling-rate-per-million=%d: must be between 0 and %d", options.SamplingRatePerMillion, perMillion)
	}
	if options.Endpoint == "" {
		return nil, nil
	}
	endpoint, err := endpointOption(options.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("--tracing-endpoint=%s: %w", options.Endpoint, err)
	}
	exporter, err := otlptracegrpc.New(ctx, endpoint)
	if err != nil {
		return nil, fmt.Errorf("--tracing-endpoint: %w", err)
	}
	origin, err := resource.New(ctx, resource.WithAttributes(options.origin()...), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(&errorLog{log: log, now: time.Now})
	otel.SetLogger(logr.Discard()) // what it has to say beside errors is about itself
	return newProvider(options.SamplingRatePerMillion, sdktrace.WithBatcher(exporter), sdktrace.WithResource(origin)), nil
}

func newProvider(samplingRatePerMillion int, more ...sdktrace.TracerProviderOption) *Provider {
	sampler := sdktrace.TraceIDRatioBased(float64(samplingRatePerMillion) / perMillion)
	sdk := sdktrace.NewTracerProvider(append(more, sdktrace.WithSampler(sdktrace.ParentBased(sampler)))...)
	return &Provider{sdk: sdk, tracer: sdk.Tracer("debugsession.dev/operator")}
}

// endpointOption uses TLS unless the URL says http. What the environment says of certificates, headers and insecurity holds as well.
func endpointOption(endpoint string) (otlptracegrpc.Option, error) {
	if _, _, err := net.SplitHostPort(endpoint); err == nil {
		return otlptracegrpc.WithEndpoint(endpoint), nil
	}
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" {
		return nil, fmt.Errorf("must be host:port, or https://host:port, or http://host:port for a collector without TLS")
	}
	return otlptracegrpc.WithEndpointURL(endpoint), nil
}

// origin is what every span says of the process that made it.
func (o Options) origin() []attribute.KeyValue {
	origin := []attribute.KeyValue{
		attribute.String("service.name", "debugsession-operator"),
		attribute.String("service.version", o.Version),
		attribute.String("k8s.namespace.name", o.Namespace),
	}
	if pod, err := os.Hostname(); err == nil { // a pod's is its name
		origin = append(origin, attribute.String("service.instance.id", pod))
	}
	return origin
}

// Shutdown sends what was not sent yet, within a bound.
func (p *Provider) Shutdown() {
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
	defer cancel()
	if err := p.sdk.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// errorLog logs that spans cannot be sent, once in a while: each batch that fails says so.
type errorLog struct {
	log  logr.Logger
	now  func() time.Time
	next atomic.Int64 // when the next line may come, in nanoseconds
}

func (e *errorLog) Handle(err error) {
	now, next := e.now(), e.next.Load()
	if now.UnixNano() < next || !e.next.CompareAndSwap(next, now.Add(exportPause).UnixNano()) {
		return
	}
	e.log.Info("cannot send traces, dropping them", "error", err.Error())
}
