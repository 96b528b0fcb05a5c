package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"debugsession.dev/operator/internal/kube/podexec"
)

// Reconciler has each pass of a reconciler be a span. Kind is what it reconciles: a kind, or what its only object is called.
func (p *Provider) Reconciler(kind string, next reconcile.Reconciler) reconcile.Reconciler {
	if p == nil {
		return next
	}
	return &reconciler{tracer: p.tracer, kind: kind, next: next}
}

type reconciler struct {
	tracer trace.Tracer
	kind   string
	next   reconcile.Reconciler
}

func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ctx, span := r.tracer.Start(ctx, "Reconcile "+r.kind, trace.WithAttributes(
		append(named(r.kind, req.NamespacedName), attribute.String("controller.reconcile_id", string(controller.ReconcileIDFromContext(ctx))))...))
	defer func() { span.End() }() // deferred itself, it would put what a panic says into the span
	result, err := r.next.Reconcile(withTraceID(ctx, span), req)
	if result.RequeueAfter > 0 {
		span.SetAttributes(attribute.Float64("controller.requeue_after_seconds", result.RequeueAfter.Seconds()))
	}
	fail(span, err)
	return result, err
}

// named are the attributes of the object that a span is about.
func named(kind string, object types.NamespacedName) []attribute.KeyValue {
	var about []attribute.KeyValue
	if object.Namespace != "" {
		about = append(about, attribute.String("k8s.namespace.name", object.Namespace))
	}
	if object.Name != "" {
		about = append(about, attribute.String("k8s."+strings.ToLower(kind)+".name", object.Name))
	}
	return about
}

// withTraceID has what is logged name the trace, if there is one.
func withTraceID(ctx context.Context, span trace.Span) context.Context {
	if !span.SpanContext().IsSampled() {
		return ctx
	}
	return log.IntoContext(ctx, log.FromContext(ctx).WithValues("traceID", span.SpanContext().TraceID().String()))
}

// fail has a span say what kind of error there was. Its text is for the log: it may name Secrets, and hold what others wrote.
func fail(span trace.Span, err error) {
	if err == nil {
		return
	}
	kind := errorType(err)
	span.SetAttributes(attribute.String("error.type", kind))
	span.SetStatus(codes.Error, kind)
}

// errorType is the API server's reason, or else the type of the innermost error.
func errorType(err error) string {
	if reason := apierrors.ReasonForError(err); reason != metav1.StatusReasonUnknown {
		return string(reason)
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return fmt.Sprintf("%T", err)
}

// Exec has commands that run in containers be spans: a pass waits for them, and they are no requests that a span can be made of.
func (p *Provider) Exec(next podexec.Interface) podexec.Interface {
	if p == nil {
		return next
	}
	return &executor{tracer: p.tracer, next: next}
}

type executor struct {
	tracer trace.Tracer
	next   podexec.Interface
}

func (e *executor) Exec(ctx context.Context, pod types.NamespacedName, container string, command []string) error {
	ctx, span := e.tracer.Start(ctx, "POST pods/exec", trace.WithSpanKind(trace.SpanKindClient))
	defer func() { span.End() }()
	err := e.next.Exec(ctx, pod, container, command)
	fail(span, err)
	return err
}
