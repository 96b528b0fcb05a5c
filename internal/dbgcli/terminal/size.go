package terminal

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubectl/pkg/util/term"
)

const (
	// redrawPause is how long a debugger may show nothing before it is told its terminal's size again.
	redrawPause = time.Second

	// redraws is how often.
	redraws = 10
)

// larger is one more: told that, and then the size as it is, a program that was left by another client draws its screen anew.
func larger(size *term.TerminalSize) *term.TerminalSize {
	return &term.TerminalSize{Width: size.Width + 1, Height: size.Height + 1}
}

// sizes are those that a terminal has, one after the other. While nothing is shown, the last is told again, for a prompt that is older
// than the attach is in no log: its shell shows it when the size changes, and may have been told of that before anybody saw what it shows.
type sizes struct {
	ctx  context.Context //nolint:containedctx // the interface has no other way
	next chan term.TerminalSize
	last atomic.Pointer[term.TerminalSize]
}

func newSizes(ctx context.Context, changes term.TerminalSizeQueue, shown func() bool) *sizes {
	s := &sizes{ctx: ctx, next: make(chan term.TerminalSize)}
	go s.follow(changes)
	go s.redraw(shown)
	return s
}

func (s *sizes) follow(changes term.TerminalSizeQueue) {
	for size := changes.Next(); size != nil && s.tell(*size); size = changes.Next() {
		s.last.Store(size)
	}
}

func (s *sizes) redraw(shown func() bool) {
	pause := time.NewTicker(redrawPause)
	defer pause.Stop()
	for range redraws {
		select {
		case <-s.ctx.Done():
			return
		case <-pause.C:
		}
		if shown() {
			return
		}
		if size := s.last.Load(); size != nil && s.tell(*larger(size)) {
			s.tell(*size)
		}
	}
}

func (s *sizes) tell(size term.TerminalSize) bool {
	select {
	case s.next <- size:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// Next implements remotecommand.TerminalSizeQueue.
func (s *sizes) Next() *remotecommand.TerminalSize {
	select {
	case size := <-s.next:
		return &remotecommand.TerminalSize{Width: size.Width, Height: size.Height}
	case <-s.ctx.Done():
		return nil
	}
}

// noticed notices whether something was written.
type noticed struct {
	io.Writer
	atomic.Bool
}

func (n *noticed) Write(p []byte) (int, error) {
	n.Store(true)
	return n.Writer.Write(p)
}
