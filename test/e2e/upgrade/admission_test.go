package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"debugsession.dev/operator/test/e2e/command"
)

// refusals are the times in which no session could be created, from the first that was refused to the next that was not.
type refusals struct {
	asked, refused int
	spans          []time.Duration
	since          time.Time // when the refusals began that go on
	last           error
}

func (r *refusals) saw(sent, answered time.Time, err error) {
	r.asked++
	switch {
	case err != nil:
		r.refused++
		r.last = err
		if r.since.IsZero() {
			r.since = sent
		}
	case !r.since.IsZero():
		r.spans, r.since = append(r.spans, answered.Sub(r.since)), time.Time{}
	}
}

func (r *refusals) String() string {
	var total, longest time.Duration
	for _, span := range r.spans {
		total, longest = total+span, max(longest, span)
	}
	return fmt.Sprintf("%d of %d sessions were refused, in %d spans of %.1f s together, the longest of %.1f s; the last because: %v",
		r.refused, r.asked, len(r.spans), total.Seconds(), longest.Seconds(), r.last)
}

// refusedDuring asks for a session every 100 ms while something is done, as a dry run, and tells when it was refused.
func refusedDuring(do func()) *refusals {
	GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", command.Kubeconfig("alice"))
	Expect(err).NotTo(HaveOccurred())
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	sessions := client.Resource(schema.GroupVersionResource{Group: "debugsession.dev", Version: "v1alpha1", Resource: "debugsessions"}).Namespace(namespace)
	session := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "debugsession.dev/v1alpha1", "kind": "DebugSession",
		"metadata": map[string]any{"name": "asks"},
		"spec": map[string]any{
			"className": "upgrade", "target": map[string]any{"podName": "app"},
			"debugger": map[string]any{"image": "busybox:1.36", "command": []any{"sh"}},
		},
	}}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	all := make(chan *refusals, 1)
	go func() {
		seen, next := &refusals{}, time.NewTicker(100*time.Millisecond)
		defer next.Stop()
		for ctx.Err() == nil {
			sent := time.Now()
			_, err := sessions.Create(ctx, session, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if ctx.Err() == nil {
				seen.saw(sent, time.Now(), err)
			}
			select {
			case <-ctx.Done():
			case <-next.C:
			}
		}
		all <- seen
	}()
	do()
	cancel()
	return <-all
}

// upgrade installs a version over another, and reports how long admission failed closed.
func upgrade(what, manifest string) {
	GinkgoHelper()
	seen := refusedDuring(func() { install(manifest) })
	AddReportEntry("admission during "+what, seen.String())
	Expect(seen.since).To(BeZero(), "sessions can be created again: %v", seen)
	Expect(seen.refused).To(BeNumerically("<", seen.asked), "%v", seen)
}

func TestRefusals(t *testing.T) {
	begin := time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)
	gone := errors.New("failed calling webhook")
	seen := &refusals{}
	for i, err := range []error{nil, gone, gone, nil, nil, gone, nil, gone} {
		sent := begin.Add(time.Duration(i) * time.Second)
		seen.saw(sent, sent.Add(time.Second/2), err)
	}
	if want := []time.Duration{2500 * time.Millisecond, 1500 * time.Millisecond}; !slices.Equal(seen.spans, want) ||
		seen.asked != 8 || seen.refused != 4 || !seen.since.Equal(begin.Add(7*time.Second)) {
		t.Errorf("seen %+v, want spans %v, and one that goes on", seen, want)
	}
	const want = "4 of 8 sessions were refused, in 2 spans of 4.0 s together, the longest of 2.5 s; the last because: failed calling webhook"
	if got := seen.String(); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}
