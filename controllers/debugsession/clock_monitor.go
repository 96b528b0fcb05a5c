package debugsession

import (
	"context"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// Sessions end by the time of day, and the queue's timers go by how long the machine was awake. When a clock is set, or a machine
// has slept, a session whose time is up would wait for a timer that was set before.

const (
	clockPause = 10 * time.Second
	clockSlack = 2 * time.Second
)

// clockMonitor sees that the time of day has made a leap forward. A leap back makes timers early, which costs a look.
type clockMonitor struct{ day, awake time.Time }

// jumped takes the time of day, and a time that goes on while the machine is awake.
func (s *clockMonitor) jumped(day, awake time.Time) bool {
	day = day.Round(0) // without what Go remembers beside it of the time awake
	leap := !s.day.IsZero() && day.Sub(s.day)-awake.Sub(s.awake) > clockSlack
	s.day, s.awake = day, awake
	return leap
}

// watchClock has every session that has not ended looked at when the time of day has made a leap.
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
