// Package flux has the real controllers of Flux apply sessions from a Git repository, laid out as examples/gitops, to a real API server
// with the operator and its webhooks. There is no node: the test says what a kubelet would.
//
// Each flow is a row of the tables in docs/gitops.md, and does what that row says by commits alone. Who wrote what to the API server is
// read from its audit log.
package flux

import (
	"context"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// patience is for a machine that has much else to do.
const patience = 90 * time.Second

// TestFlux runs the flows beside each other. The last ones need the cluster for themselves.
func TestFlux(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" || os.Getenv("FLUX") == "" {
		t.Skip("KUBEBUILDER_ASSETS names no folder with etcd and kube-apiserver, or FLUX none with Flux's controllers; make test-flux builds them")
	}
	logf.SetLogger(logr.Discard())
	SetDefaultEventuallyTimeout(patience)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	ctx := untilTheLimit(t)

	w := startWorld(ctx, t)
	results := &table{}
	t.Cleanup(func() { results.write(t, os.Getenv("FLUX_TABLE")) })
	chosen := regexp.MustCompile(os.Getenv("FLOWS")) // all, if it is not set
	one := func(t *testing.T, f flow, parallel bool) {
		if f.team != exampleTeam && !chosen.MatchString(f.name) {
			return
		}
		t.Run(f.name, func(t *testing.T) {
			if parallel {
				t.Parallel()
			}
			begin(ctx, t, w, f, results)
		})
	}
	one(t, layout, false) // it brings the classes
	t.Run("beside each other", func(t *testing.T) {
		for _, f := range flows {
			one(t, f, true)
		}
	})
	for _, f := range restarts { // these are done to all
		one(t, f, false)
	}
}

// untilTheLimit ends early enough before the test's own time limit for what was started to be ended.
func untilTheLimit(t *testing.T) context.Context {
	ctx := t.Context()
	if limit, ok := t.Deadline(); ok {
		limited, cancel := context.WithDeadline(ctx, limit.Add(-time.Minute))
		t.Cleanup(cancel)
		return limited
	}
	return ctx
}
