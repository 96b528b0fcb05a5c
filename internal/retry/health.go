// Package retry paces what is sent to a place that may not answer for long.
package retry

import (
	"context"
	"sync"
	"time"
)

const (
	// FirstPause is the pause after a failure, which grows with each.
	FirstPause = time.Second

	// LastPause is the longest.
	LastPause = time.Minute

	// deadAfter is how many tries in a row have to fail before a place is said not to be reached.
	deadAfter = 3
)

// Pause is the pause before the next try, after one that failed and so many before it.
func Pause(failures int) time.Duration { return min(FirstPause<<min(failures, 10), LastPause) }

// Wait is that pause, unless the context ends before.
func Wait(ctx context.Context, failures int) {
	timer := time.NewTimer(Pause(failures))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Health is whether what is sent somewhere gets there. While it does not, one message at a time is tried, and the pauses between two
// tries grow. They are the place's and not a message's, so that thousands that wait do not mean thousands of tries; and what arrives
// ends them, so that a message that alone is refused costs the others a second each time that it is its turn.
type Health struct {
	changed func(Verdict) // called when there is something else to say

	mu       sync.Mutex
	failures int
	next     time.Time // no try before
	said     Verdict
	kick     chan struct{}
}

// Verdict is what there is to say of a place since the operator started: that messages arrive, that they do not, or, at first,
// neither.
type Verdict struct {
	Arrives bool
	Dead    bool
	Message string // why not
}

// NewHealth is that of a place that was not tried yet.
func NewHealth(changed func(Verdict)) *Health {
	return &Health{changed: changed, kick: make(chan struct{}, 1)}
}

// Failing reports whether the last try has failed.
func (h *Health) Failing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failures > 0
}

// Verdict returns what there is to say now.
func (h *Health) Verdict() Verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said
}

// Count notes how a try went.
func (h *Health) Count(err error) {
	h.mu.Lock()
	before := h.said
	if err == nil {
		h.failures, h.next, h.said = 0, time.Time{}, Verdict{Arrives: true}
	} else {
		h.next = time.Now().Add(Pause(h.failures))
		h.failures++
		if h.failures >= deadAfter && !h.said.Dead {
			h.said = Verdict{Dead: true, Message: err.Error()}
		}
	}
	now := h.said
	h.mu.Unlock()
	if before != now {
		h.changed(now)
	}
}

// Retry has the next try made at once, as after a change of the place.
func (h *Health) Retry() {
	h.mu.Lock()
	h.next = time.Time{}
	h.mu.Unlock()
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// Pause waits until the next try may be made. It fails if the context ends before.
func (h *Health) Pause(ctx context.Context) error {
	for {
		h.mu.Lock()
		wait := time.Until(h.next)
		h.mu.Unlock()
		if wait <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-h.kick:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
