package terminal

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubectl/pkg/util/term"
)

// sizeQueue is what a terminal tells of its size.
type sizeQueue chan *term.TerminalSize

func (q sizeQueue) Next() *term.TerminalSize { return <-q }

func TestSizeIsToldAgainWhileNothingIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		changes, shown := make(sizeQueue, 3), &atomic.Bool{}
		changes <- &term.TerminalSize{Width: 81, Height: 25}
		changes <- &term.TerminalSize{Width: 80, Height: 24}
		s := newSizes(ctx, changes, shown.Load)
		next := func(width uint16, after time.Duration) {
			t.Helper()
			before := time.Now()
			if size := s.Next(); size == nil || *size != (remotecommand.TerminalSize{Width: width, Height: width - 56}) ||
				time.Since(before) != after {
				t.Fatalf("told %v after %v, want width %d after %v", size, time.Since(before), width, after)
			}
		}
		next(81, 0)
		next(80, 0)
		next(81, redrawPause)
		next(80, 0)
		shown.Store(true)
		time.Sleep(3 * redrawPause)
		changes <- &term.TerminalSize{Width: 100, Height: 44}
		next(100, 0)
		cancel()
		if size := s.Next(); size != nil {
			t.Errorf("told %v at the end", size)
		}
		close(changes)
		synctest.Wait()
	})
}
