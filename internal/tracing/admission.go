package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Webhooks has each admission request that is answered be a span, below the API server's if that makes spans.
func (p *Provider) Webhooks(server webhook.Server) webhook.Server {
	if p == nil {
		return server
	}
	return &webhooks{server, p.tracer}
}

type webhooks struct {
	webhook.Server
	tracer trace.Tracer
}

func (w *webhooks) Register(path string, hook http.Handler) {
	if answering, ok := hook.(*admission.Webhook); ok {
		answering.WithContextFunc = func(ctx context.Context, r *http.Request) context.Context {
			return traceContext.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		answering.Handler = &handler{tracer: w.tracer, path: path, next: answering.Handler}
	}
	w.Server.Register(path, hook)
}

type handler struct {
	tracer trace.Tracer
	path   string
	next   admission.Handler
}

func (h *handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	ctx, span := h.tracer.Start(ctx, "Admit "+h.path, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		append(named(req.Kind.Kind, types.NamespacedName{Namespace: req.Namespace, Name: req.Name}),
			attribute.String("admission.operation", string(req.Operation)),
			attribute.Bool("admission.dry_run", req.DryRun != nil && *req.DryRun))...))
	defer func() { span.End() }()
	response := h.next.Handle(withTraceID(ctx, span), req)
	span.SetAttributes(attribute.Bool("admission.allowed", response.Allowed))
	if response.Result != nil {
		span.SetAttributes(attribute.Int("admission.code", int(response.Result.Code)))
	}
	return response
}
