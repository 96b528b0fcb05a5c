package sessions

import (
	"context"
	"sync"

	"debugsession.dev/operator/api/v1alpha1"
)

// Tracker keeps the latest news of one session, for several who wait for different things.
type Tracker struct {
	mu      sync.Mutex
	latest  News
	changed chan struct{}
}

// Track follows a session until the context ends.
func (c *Client) Track(ctx context.Context, first *v1alpha1.DebugSession) *Tracker {
	t := &Tracker{latest: News{Session: first}, changed: make(chan struct{})}
	news := c.Follow(ctx, first)
	go func() {
		for one := range news {
			t.set(one)
		}
	}()
	return t
}

func (t *Tracker) set(news News) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if news.Session == nil {
		news.Session = t.latest.Session
	}
	t.latest = news
	close(t.changed)
	t.changed = make(chan struct{})
}

// Latest is the latest news, with the session as it was last seen, and a channel that is closed when there is more.
func (t *Tracker) Latest() (News, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latest, t.changed
}

// Until waits for news that somebody waits for, and returns it; or the latest, once the context has ended.
func (t *Tracker) Until(ctx context.Context, met func(News) bool) (News, error) {
	for {
		news, changed := t.Latest()
		if met(news) {
			return news, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return news, ctx.Err()
		}
	}
}
