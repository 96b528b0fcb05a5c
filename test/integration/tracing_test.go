package integration

import (
	"context"
	"net"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"go.opentelemetry.io/otel"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/prototext"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/internal/tracing"
)

// tracesReceived is a collector that keeps what it is sent.
type tracesReceived struct {
	collector.UnimplementedTraceServiceServer
	mu      sync.Mutex
	spans   []*spans.Span
	text    string
	headers []string
}

func (c *tracesReceived) Export(ctx context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text += prototext.Format(request)
	if sent, ok := metadata.FromIncomingContext(ctx); ok {
		c.headers = append(c.headers, sent.Get("authorization")...)
	}
	for _, process := range request.ResourceSpans {
		for _, scope := range process.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// serve has the collector listen on the loopback interface.
func (c *tracesReceived) serve() (endpoint string) {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	DeferCleanup(func() {
		server.Stop()
		Expect(<-served).To(Succeed())
	})
	return "http://" + listener.Addr().String()
}

// passes are the passes of a session that ended in a phase, each with the names of the spans below it.
func (c *tracesReceived) passes(session *v1alpha1.DebugSession, phase v1alpha1.Phase) (below [][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pass := range c.spans {
		if pass.Name != "Reconcile DebugSession" || attributeOf(pass, "k8s.debugsession.name") != session.Name ||
			attributeOf(pass, "k8s.namespace.name") != session.Namespace || attributeOf(pass, "debugsession.phase") != string(phase) {
			continue
		}
		names := []string{}
		for _, span := range c.spans {
			if string(span.ParentSpanId) == string(pass.SpanId) && string(span.TraceId) == string(pass.TraceId) {
				names = append(names, span.Name)
			}
		}
		slices.Sort(names)
		below = append(below, slices.Compact(names))
	}
	return below
}

func attributeOf(span *spans.Span, key string) string {
	for _, attribute := range span.Attributes {
		if attribute.Key == key {
			return attribute.Value.GetStringValue()
		}
	}
	return ""
}

var _ = Describe("an operator that is told of a collector", func() {
	It("sends the trace of a session from its admission to its end, and nothing secret", func(ctx SpecContext) {
		received := &tracesReceived{}
		provider, err := tracing.New(ctx, tracing.Options{
			Endpoint: received.serve(), SamplingRatePerMillion: 1_000_000, Version: "v1.2.3", Namespace: operator.DefaultNamespace,
		}, log.Log)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
		node := &kubelet{}
		stop := startOperator(node, func(_ *manager.Options, own *operator.Options) { own.Tracing = provider })
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		session := active(ctx, node, namespace, "traced", runningPod(ctx, namespace, "web"))
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		secrets := &corev1.SecretList{}
		Expect(k8s.List(ctx, secrets, client.InNamespace(operator.DefaultNamespace))).To(Succeed())
		Expect(secrets.Items).NotTo(BeEmpty())
		stop()
		provider.Shutdown()

		Expect(received.passes(session, v1alpha1.PhaseStarting)).To(ContainElements(
			ContainElement("PATCH debugsessions/status"), ContainElement("PATCH pods/ephemeralcontainers")))
		Expect(received.passes(session, v1alpha1.PhaseActive)).NotTo(BeEmpty())
		Expect(received.passes(session, v1alpha1.PhaseEnding)).To(ContainElement(ContainElement("POST pods/exec")))
		Expect(received.passes(session, v1alpha1.PhaseEnded)).To(ContainElement(ContainElement("PATCH debugsessions/status")))
		names := map[string]bool{}
		for _, span := range received.spans {
			names[span.Name] = true
			Expect(attributeOf(span, "url.full")).NotTo(ContainSubstring("?"))
		}
		Expect(names).To(HaveKey("Admit /stamp/debugsessions"))
		Expect(names).To(HaveKey("GET secrets"))
		Expect(received.text).To(And(ContainSubstring("debugsession-operator"), ContainSubstring("v1.2.3")))
		for i := range secrets.Items {
			Expect(received.text).NotTo(ContainSubstring(secrets.Items[i].Name))
		}
		Expect(received.text).NotTo(ContainSubstring("Bearer"))
		if restConfig.BearerToken != "" {
			Expect(received.text).NotTo(ContainSubstring(restConfig.BearerToken))
		}
		Expect(received.headers).To(BeEmpty())
	})
})
