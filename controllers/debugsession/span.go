package debugsession

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"debugsession.dev/operator/api/v1alpha1"
)

// describeSpan has the span of a pass say what became of the session. If there is no span, it says nothing.
func describeSpan(ctx context.Context, before v1alpha1.Phase, session *v1alpha1.DebugSession) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("debugsession.mode", string(session.Spec.Mode)),
		attribute.String("debugsession.phase_before", string(before)),
		attribute.String("debugsession.phase", string(session.Status.Phase)),
		attribute.String("debugsession.outcome", string(session.Status.Outcome)),
		attribute.String("debugsession.reason", session.Status.Reason),
	)
}
