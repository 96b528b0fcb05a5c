// Package transcriber follows the logs of the debuggers whose sessions leave a transcript, and stores it beside the audit records, in
// parts: what is lost with the operator is what its last seconds had read, and that is read again while the log is there.
package transcriber

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/kube/sessioninformer"
	"debugsession.dev/operator/internal/plan"
)

// slots is how many parts are written at once.
const slots = 8

// Source is where logs are read.
type Source interface {
	// Follow returns the log of a container with timestamps, from a second on or from its beginning, for as long as the container runs.
	Follow(ctx context.Context, pod types.NamespacedName, container string, since time.Time) (io.ReadCloser, error)
}

// Transcriber makes transcripts. The leader runs one.
type Transcriber struct {
	// Store is where they are stored.
	Store *auditstore.Store
	// Source is where logs are read.
	Source Source
	// Cache is where sessions are watched.
	Cache cache.Cache
	// Enqueue has a session looked at that waits for its transcript.
	Enqueue func(types.NamespacedName)
	// Complete is told of a session whose transcript is complete.
	Complete func(types.UID)
	// Metrics count.
	Metrics *Metrics

	mu        sync.Mutex
	ctx       context.Context // nil before the start, and over after the end
	followers map[types.UID]*follower
	working   sync.WaitGroup
	free      chan struct{}
}

// NeedLeaderElection keeps the other replicas out.
func (t *Transcriber) NeedLeaderElection() bool { return true }

// Start follows the logs of the sessions that there are, and then of those that begin, until the context ends.
func (t *Transcriber) Start(ctx context.Context) error {
	t.begin(log.IntoContext(ctx, log.FromContext(ctx).WithName("transcripts")))
	err := sessioninformer.Follow(ctx, t.Cache, func(session *v1alpha1.DebugSession) { t.look(session) }, t.lost, func() {
		<-ctx.Done()
		t.working.Wait()
	})
	if err != nil {
		return fmt.Errorf("watching sessions to make their transcripts: %w", err)
	}
	return nil
}

func (t *Transcriber) begin(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx, t.followers, t.free = ctx, map[types.UID]*follower{}, make(chan struct{}, slots)
}

// State is what is known of the transcript of a session, which may be gone: deleted. The session is looked at when that changes.
func (t *Transcriber) State(session *v1alpha1.DebugSession, gone bool) plan.TranscriptState {
	f := t.look(session)
	if f == nil {
		return plan.TranscriptState{}
	}
	if gone {
		f.end()
	}
	return f.await()
}

// lost notes that a session was deleted: its debugger ends, and nothing tells of that any more.
func (t *Transcriber) lost(session *v1alpha1.DebugSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.followers[session.UID]; f != nil {
		f.end()
	}
}

// Forget ends what is done for a session's transcript.
func (t *Transcriber) Forget(uid types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.followers[uid]; f != nil {
		f.stop()
		delete(t.followers, uid)
	}
}

// look has the log of a session's debugger followed, if its transcript is to be made. It returns who does.
func (t *Transcriber) look(session *v1alpha1.DebugSession) *follower {
	status := &session.Status
	if !status.LeavesTranscript() {
		return nil
	}
	if status.Transcript != nil || status.Audit != nil {
		t.Forget(session.UID)
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx == nil || t.ctx.Err() != nil {
		return nil
	}
	f := t.followers[session.UID]
	if f == nil {
		ctx, stop := context.WithCancel(t.ctx)
		f = newFollower(t, session, stop)
		t.followers[session.UID] = f
		t.working.Go(func() {
			f.run(log.IntoContext(ctx, log.FromContext(ctx).WithValues("session", client.ObjectKeyFromObject(session))))
		})
	}
	if over(status) {
		f.end()
	}
	return f
}

// over reports whether a session's debugger prints no more.
func over(status *v1alpha1.DebugSessionStatus) bool {
	ending := status.Phase == v1alpha1.PhaseEnding && status.Debugger != nil && status.Debugger.FinishedAt != nil
	return ending || status.EndedAt != nil || status.Phase == v1alpha1.PhaseEnded
}
