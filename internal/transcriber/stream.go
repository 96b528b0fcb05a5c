package transcriber

import (
	"context"
	"errors"
	"io"
	"time"

	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/transcript"
)

const (
	// readBytes is how much is read of a log at once.
	readBytes = 16 << 10

	// quiet is how long nothing comes of a log that is read as far as there is any.
	quiet = 250 * time.Millisecond

	// opening is how long it takes to find out that there is something in a log.
	opening = time.Second
)

// errNoEnd is that a kubelet does not end the log of a container that has ended.
var errNoEnd = errors.New("the kubelet does not end it")

// follow reads the log from where it was read to, until the stream ends: with nil as it does when the container has ended, or when the
// transcript is as long as it may be.
func (f *follower) follow(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	f.t.Metrics.following.Inc()
	defer f.t.Metrics.following.Dec()
	pieces := f.read(ctx)
	defer func() {
		stop()
		for range pieces { // until who reads has gone
		}
	}()
	return f.take(ctx, pieces, transcript.NewLog(f.cursor))
}

// piece is what one read has given.
type piece struct {
	text     []byte // until the next piece is received
	err      error
	unopened bool // there is no stream
}

// read opens the log and reads it to its end, in another goroutine: neither can be given up, and a kubelet does not answer before there is
// something in the log. Of two buffers one is read into while the other is used.
func (f *follower) read(ctx context.Context) <-chan piece {
	pieces, since := make(chan piece), f.cursor.At.Truncate(time.Second)
	send := func(p piece) bool {
		select {
		case pieces <- p:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		defer close(pieces)
		log, err := f.t.Source.Follow(ctx, f.pod, f.container, since)
		if err != nil {
			send(piece{err: err, unopened: true})
			return
		}
		readAll(ctx, log, send)
	}()
	return pieces
}

// readAll reads a log until it ends, or the context does.
func readAll(ctx context.Context, log io.ReadCloser, send func(piece) bool) {
	closed := context.AfterFunc(ctx, func() { _ = log.Close() }) // it was only read
	defer func() {
		if closed() {
			_ = log.Close()
		}
	}()
	var buffers [2][readBytes]byte
	for turn := 0; ; turn = 1 - turn {
		n, err := log.Read(buffers[turn][:])
		if !send(piece{text: buffers[turn][:n], err: err}) || err != nil {
			return
		}
	}
}

// stream is a log that is being read.
type stream struct {
	pieces        <-chan piece
	lines         *transcript.Log
	timer         *time.Timer
	patience      time.Duration   // how long nothing has to come until all there is was read
	wanted, ended <-chan struct{} // nil once they were heard
}

// take makes the transcript of what is read.
func (f *follower) take(ctx context.Context, pieces <-chan piece, lines *transcript.Log) error {
	s := &stream{pieces: pieces, lines: lines, timer: time.NewTimer(opening), patience: opening, wanted: f.wanted, ended: f.ended}
	defer s.timer.Stop()
	for {
		if done, err := f.next(ctx, s); done || err != nil {
			return err
		}
	}
}

// next waits for the next thing that happens to a stream.
func (f *follower) next(ctx context.Context, s *stream) (done bool, err error) {
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-s.wanted: // what was read is to be stored soon
		s.wanted = nil
		s.timer.Reset(s.patience)
		return false, nil
	case <-s.ended: // which the stream is about to tell
		s.ended = nil
		s.timer.Reset(s.patience)
		return false, nil
	case <-s.timer.C:
		if s.patience == quiet { // there is more of the stream to come: the container runs
			f.clean = false
		}
		err = f.rest(ctx)
		s.timer.Reset(f.untilLook())
	case next, open := <-s.pieces:
		if !open {
			return true, ctx.Err()
		}
		s.patience = quiet
		done, err = f.add(ctx, next, s.lines)
		s.timer.Reset(s.patience)
	}
	if !done && err == nil && f.isOver() && time.Since(f.over) > plan.TranscriptTimeout {
		err = errNoEnd
	}
	return done, err
}

// add adds a piece to the transcript. It is done when the stream has ended, or the transcript is as long as it may be.
func (f *follower) add(ctx context.Context, next piece, lines *transcript.Log) (done bool, err error) {
	if next.unopened {
		return false, next.err
	}
	f.update(func(s *plan.TranscriptState) { s.CaughtUp = false })
	ends := errors.Is(next.err, io.EOF)
	each := func(chunk transcript.Chunk) {
		if len(f.buffer) == 0 {
			f.since = time.Now()
		}
		f.buffer = f.encoder.Append(f.buffer, chunk)
		f.tries, f.clean = 0, false
	}
	err = lines.Add(next.text, each)
	if ends && err == nil {
		lines.Rest(each)
	}
	f.cursor, f.gap = lines.Cursor(), f.gap || lines.Gap()
	switch {
	case err == nil && next.err != nil && !ends:
		err = next.err
	case err == nil && (len(f.buffer) >= partBytes || ends || f.encoder.Cut() || !f.since.IsZero() && f.untilFlush() == 0):
		err = f.flush(ctx)
	}
	return ends || f.encoder.Cut(), err
}

// rest is for a moment in which nothing comes: what a session waits for is stored, and what is old enough.
func (f *follower) rest(ctx context.Context) error {
	if f.isAwaited() || f.untilFlush() == 0 {
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	f.update(func(s *plan.TranscriptState) { s.CaughtUp = len(f.buffer) == 0 })
	return nil
}

// untilLook is how long until something is to be done though nothing comes.
func (f *follower) untilLook() time.Duration {
	if f.over.IsZero() {
		return f.untilFlush()
	}
	return min(f.untilFlush(), max(plan.TranscriptTimeout-time.Since(f.over), 0)+time.Millisecond)
}

// untilFlush is how long the buffer may wait: not at all if that is 0.
func (f *follower) untilFlush() time.Duration {
	patience := min(partEvery+partEvery*time.Duration(f.status.Parts)/4, partAtLatest)
	if len(f.buffer) == 0 {
		return patience
	}
	return max(patience-time.Since(f.since), 0)
}
