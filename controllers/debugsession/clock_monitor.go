package debugsession

import (
	"context"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// Sessions end by the wall clock, and the queue's timers go by the monotonic clock. When the wall clock is set, or the machine has slept,
// a session whose time is up would wait for a timer that was set before.

const (
	clockPause = 10 * time.Second
	clockSlack = 2 * time.Second
)

// clockMonitor notices that the wall clock has jumped forward. A jump back makes timers early, which costs a reconciliation.
type clockMonitor struct{ wall, monotonic time.Time }

// jumped takes the wall clock's time, and the monotonic clock's.
func (m *clockMonitor) jumped(wall, monotonic time.Time) bool {
	wall = wall.Round(0) // without the monotonic reading that Go keeps beside it
	jump := !m.wall.IsZero() && wall.Sub(m.wall)-monotonic.Sub(m.monotonic) > clockSlack
	m.wall, m.monotonic = wall, monotonic
	return jump
}

// watchClock enqueues every session that has not ended when the wall clock has jumped.
func (r *Reconciler) watchClock(ctx context.Context) error {
	ticker := time.NewTicker(clockPause)
	defer ticker.Stop()
	var clock clockMonitor
	for {
		if clock.jumped(r.Clock.Now(), time.Now()) {
			r.enqueueAll(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (r *Reconciler) enqueueAll(ctx context.Context) {
	for _, session := range r.sessionsMatching(ctx, func(s *v1alpha1.DebugSession) bool { return s.Status.Phase != v1alpha1.PhaseEnded }) {
		r.Enqueuer.Enqueue(session.NamespacedName)
	}
}
