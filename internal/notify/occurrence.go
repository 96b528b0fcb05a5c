package notify

import (
	"context"
)

const (
	// maxOccurrences is how many messages of no session wait for a sink, and maxOfOne how many of them may be of one user.
	maxOccurrences, maxOfOne = 64, 8
)

// occurrence is something to tell that is of no session. Nothing remembers it but this process.
type occurrence struct {
	message          *Message
	namespace, class string
	by               string // whose share of the queue it takes
}

// occurrences are what waits to be told, in order.
type occurrences struct{ waiting []occurrence }

// add reports whether there was room for one more.
func (o *occurrences) add(one occurrence) bool {
	own := 0
	for i := range o.waiting {
		if o.waiting[i].by == one.by {
			own++
		}
	}
	if len(o.waiting) >= maxOccurrences || own >= maxOfOne {
		return false
	}
	o.waiting = append(o.waiting, one)
	return true
}

// occurred has the worker tell of something, unless too much waits already.
func (w *worker) occurred(one occurrence) {
	w.mu.Lock()
	room := w.occurrences.add(one)
	w.mu.Unlock()
	if !room {
		w.notifier.Metrics.dropped(w.name, dropQueueFull)
		return
	}
	w.queue.Add(item{})
}

// tellOccurrences tells of all that waits. What fails stays the first.
func (w *worker) tellOccurrences(ctx context.Context) error {
	for {
		w.mu.Lock()
		if len(w.occurrences.waiting) == 0 {
			w.mu.Unlock()
			return nil
		}
		one := w.occurrences.waiting[0]
		w.mu.Unlock()
		takes, err := w.takes(ctx, one.message.Type, one.namespace, one.class)
		if err == nil && takes {
			err = w.deliver(ctx, one.message)
		}
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.occurrences.waiting = w.occurrences.waiting[1:]
		w.mu.Unlock()
	}
}
