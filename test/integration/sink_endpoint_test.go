package integration

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/notify"
	"debugsession.dev/operator/internal/operator"
)

// endpoint is what a sink names: a real HTTP server that notes what it is told, and can be as endpoints are.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc // nil: 202
	tries  int
	deaf   bool     // it notes only what it answers 202 to
	told   []posted // what it has noted
}

// posted is one request.
type posted struct {
	header http.Header
	body   []byte
}

// cloudEvent is a structured one.
type cloudEvent struct {
	ID, Type, Source, Subject, DataSchema string
	Data                                  notify.Message
}

func newEndpoint() *endpoint {
	e := &endpoint{deaf: true}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		e.tries++
		answer := e.answer
		if answer == nil || !e.deaf {
			e.told = append(e.told, posted{r.Header.Clone(), body})
		}
		e.mu.Unlock()
		if answer == nil {
			answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }
		}
		answer(w, r)
	}))
	DeferCleanup(func() {
		e.CloseClientConnections()
		e.Close()
	})
	return e
}

// answers has it answer like this from now on.
func (e *endpoint) answers(with http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = with
}

// hearsBut has it note what it is told, and answer like this.
func (e *endpoint) hearsBut(with http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer, e.deaf = with, false
}

func (e *endpoint) tried() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tries
}

func (e *endpoint) posts() []posted {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.told)
}

// events are the structured CloudEvents that it was told about the session of that name, or about no session if the name is empty.
// Every sink is told of emergencies: sessions of other specs may be among them.
func (e *endpoint) events(session string) []cloudEvent {
	var events []cloudEvent
	for _, post := range e.posts() {
		var event cloudEvent
		if json.Unmarshal(post.body, &event) != nil {
			continue
		}
		about := ""
		if event.Data.Session != nil {
			about = event.Data.Session.Name
		}
		if about == session {
			events = append(events, event)
		}
	}
	return events
}

// types are what it was told of a session, in order, each as often as it was told.
func (e *endpoint) types(session string) func() []v1alpha1.NotificationType {
	return func() []v1alpha1.NotificationType {
		var types []v1alpha1.NotificationType
		for _, event := range e.events(session) {
			types = append(types, event.Data.Type)
		}
		return types
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hangs answers when the client has gone.
func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// newSink creates a sink that is told of one namespace, at the endpoint, until the test ends.
func newSink(ctx context.Context, namespace string, to *endpoint, change ...func(*v1alpha1.DebugSink)) *v1alpha1.DebugSink {
	GinkgoHelper()
	sink := &v1alpha1.DebugSink{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "sink-"},
		Spec: v1alpha1.DebugSinkSpec{
			URL: to.URL, AllowHTTP: true, Timeout: &metav1.Duration{Duration: time.Second},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
		},
	}
	for _, c := range change {
		c(sink)
	}
	Expect(k8s.Create(ctx, sink)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, sink))).To(Succeed()) })
	return sink
}

// condition of a sink, as it is now.
func condition(ctx context.Context, sink *v1alpha1.DebugSink, of string) func(Gomega) *metav1.Condition {
	return func(g Gomega) *metav1.Condition {
		refreshed(ctx, g, sink)
		for i := range sink.Status.Conditions {
			if sink.Status.Conditions[i].Type == of {
				return &sink.Status.Conditions[i]
			}
		}
		return nil
	}
}

func served(ctx context.Context, sink *v1alpha1.DebugSink) {
	GinkgoHelper()
	Eventually(condition(ctx, sink, v1alpha1.ConditionReady)).Should(HaveField("Status", metav1.ConditionTrue))
}

// measuring has an operator count in a registry that a test can read.
func measuring(registry *prometheus.Registry) func(*manager.Options, *operator.Options) {
	return func(_ *manager.Options, own *operator.Options) { own.Registry = registry }
}

// measured is the sum of a metric whose labels have all of these values.
func measured(registry *prometheus.Registry, name string, labels ...string) func() float64 {
	return func() float64 {
		families, err := registry.Gather()
		Expect(err).NotTo(HaveOccurred())
		sum := 0.0
		for _, family := range families {
			for _, metric := range family.Metric {
				fits := family.GetName() == name
				for i := 0; i < len(labels); i += 2 {
					fits = fits && labelled(metric, labels[i], labels[i+1])
				}
				if fits {
					sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
				}
			}
		}
		return sum
	}
}
