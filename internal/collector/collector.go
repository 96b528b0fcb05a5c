// Package collector reads the files that sessions keep out of their debuggers' containers, and stores them beside the audit records. What it
// reads is its author's: it trusts no size and no end, looks at no content, and has no more than a part of a file in memory.
package collector

import (
	"context"
	"fmt"
	"io"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/kube/sessioninformer"
	"debugsession.dev/operator/internal/plan"
)

// slots is how many files are read at once: each has a part in memory.
const slots = 4

// Executor runs commands in containers.
type Executor interface {
	// Exec runs a command that takes a moment.
	Exec(ctx context.Context, pod types.NamespacedName, container string, command []string) error

	// Stream runs a command until it has ended or the context has, with somewhere for what it writes to its standard output.
	Stream(ctx context.Context, pod types.NamespacedName, container string, command []string, stdout io.Writer) error
}

// Collector collects files. The leader runs one.
type Collector struct {
	// Store is where files are stored.
	Store *auditstore.Store
	// Exec runs commands in debuggers' containers.
	Exec Executor
	// Cache is where sessions are watched.
	Cache cache.Cache
	// Enqueue has a session looked at all of whose files are settled.
	Enqueue func(types.NamespacedName)

	mu      sync.Mutex
	ctx     context.Context // nil before the start, and over after the end
	keepers map[types.UID]*keeper
	working sync.WaitGroup
	free    chan struct{}
}

// NeedLeaderElection keeps the other replicas out.
func (c *Collector) NeedLeaderElection() bool { return true }

// Start collects the files of the sessions that there are, and then of those that begin, until the context ends.
func (c *Collector) Start(ctx context.Context) error {
	c.begin(ctx)
	err := sessioninformer.Follow(ctx, c.Cache, func(session *v1alpha1.DebugSession) { c.look(session) }, c.lost, func() {
		<-ctx.Done()
		c.working.Wait()
	})
	if err != nil {
		return fmt.Errorf("watching sessions to collect their artifacts: %w", err)
	}
	return nil
}

func (c *Collector) begin(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx, c.keepers, c.free = ctx, map[types.UID]*keeper{}, make(chan struct{}, slots)
}

// State is what is known of the files of a session.
func (c *Collector) State(session *v1alpha1.DebugSession) plan.ArtifactsState {
	k := c.look(session)
	if k == nil {
		return plan.ArtifactsState{}
	}
	return k.known()
}

func (c *Collector) lost(session *v1alpha1.DebugSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(session.UID)
}

func (c *Collector) forget(uid types.UID) {
	if k := c.keepers[uid]; k != nil {
		k.stop()
		delete(c.keepers, uid)
	}
}

// look has a session's files collected while its debugger runs, and its container let go once it is written down what became of them. It
// returns who does; of a session that ends, who did.
func (c *Collector) look(session *v1alpha1.DebugSession) *keeper {
	if len(session.Spec.Debugger.Artifacts) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil || c.ctx.Err() != nil {
		return nil
	}
	settled, k := session.Status.Artifacts != nil, c.keepers[session.UID]
	switch {
	case runs(&session.Status):
		if k == nil {
			ctx, stop := context.WithCancel(c.ctx)
			k = newKeeper(c, session, stop)
			c.keepers[session.UID] = k
			c.working.Go(func() { k.run(ctx) })
		}
		if settled {
			k.settle()
		}
		return k
	case settled, session.Status.Phase == v1alpha1.PhaseEnded:
		c.forget(session.UID)
		return nil
	case k != nil && session.Status.Phase == v1alpha1.PhaseEnding:
		k.stop()
	}
	return k
}

// runs reports whether a session's debugger runs, or is held.
func runs(status *v1alpha1.DebugSessionStatus) bool {
	return status.Phase == v1alpha1.PhaseActive && status.Debugger != nil && status.Debugger.State == v1alpha1.DebuggerRunning && status.Class != nil
}
