package command

import (
	"context"
	"fmt"
	"time"

	"debugsession.dev/operator/internal/dbgcli/story"
)

// warn writes into the terminal that the end is near, for a debugger that does not do so itself. One has just been told how much time
// is left. An end that was moved is warned of anew.
func (v *visit) warn(ctx context.Context) {
	news, changed := v.tracker.Latest()
	if v.quiet || !news.Session.Spec.Debugger.TTY || story.WarnsItself(news.Session) {
		return
	}
	warned, _ := story.EndWarnings(news.Session, v.now())
	for {
		last, next := story.EndWarnings(news.Session, v.now())
		if !last.IsZero() && !last.Equal(warned) {
			warned = last
			fmt.Fprintf(v.ErrOut, "\r\n[dbg] %s\r\n", story.EndWarning(news.Session, v.now()))
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(next.Sub(v.now()))
		}
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
			return
		}
		news, changed = v.tracker.Latest()
	}
}
