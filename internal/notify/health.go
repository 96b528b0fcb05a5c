package notify

import (
	"context"
	"sync"
	"time"
)

const (
	// firstPause and lastPause bound the growing pause after a failure.
	firstPause = time.Second
	lastPause  = time.Minute

	// deadAfter is how many tries in a row have to fail before a sink is said not to be delivered to.
	deadAfter = 3
)

// health is whether what is sent to a sink gets there. While it does not, one message at a time is tried, and the pauses between two
// tries grow. They are the sink's and not a message's, so that thousands that wait do not mean thousands of tries; and what arrives
// ends them, so that a message that alone is refused costs the others a second each time that it is its turn.
type health struct {
	changed func(verdict) // called when there is something else to say

	mu       sync.Mutex
	failures int
	next     time.Time // no try before
	said     verdict
	kick     chan struct{}
}

// verdict is what there is to say of a sink since the operator started: that messages arrive, that they do not, or, at first,
// neither.
type verdict struct {
	arrives bool
	dead    bool
	message string
}

func newHealth(changed func(verdict)) *health {
	return &health{changed: changed, kick: make(chan struct{}, 1)}
}

// failing reports whether the last try has failed.
func (h *health) failing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failures > 0
}

func (h *health) verdict() verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said
}

// count notes how a try went.
func (h *health) count(err error) {
	h.mu.Lock()
	before := h.said
	if err == nil {
		h.failures, h.next, h.said = 0, time.Time{}, verdict{arrives: true}
	} else {
		pause := min(firstPause<<min(h.failures, 10), lastPause)
		h.failures++
		h.next = time.Now().Add(pause)
		if h.failures >= deadAfter && !h.said.dead {
			h.said = verdict{dead: true, message: err.Error()}
		}
	}
	now := h.said
	h.mu.Unlock()
	if before != now {
		h.changed(now)
	}
}

// retry has the next try made at once, as after a change of the sink.
func (h *health) retry() {
	h.mu.Lock()
	h.next = time.Time{}
	h.mu.Unlock()
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// pause waits until the next try may be made. It fails if the context ends before.
func (h *health) pause(ctx context.Context) error {
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
