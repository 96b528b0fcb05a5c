package transcriber

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/plaintext"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/retry"
	"debugsession.dev/operator/internal/transcript"
)

const (
	// partBytes is how large a part may become before it is stored.
	partBytes = 256 << 10

	// keptBytes is how much of a part's memory is kept for the next.
	keptBytes = 32 << 10

	// partEvery is after how long a part is stored that is smaller: the more parts there are the later, up to partAtLatest.
	partEvery    = 5 * time.Second
	partAtLatest = time.Minute

	// triesWhenOver is how often the log of a debugger that has ended is asked for which the API server says it cannot give.
	triesWhenOver = 4

	// longestPauseWhenOver is the longest pause between two tries then.
	longestPauseWhenOver = 10 * time.Second

	// maxReason is how much is told of why a transcript is incomplete, in bytes.
	maxReason = 1000
)

// follower makes the transcript of one session.
type follower struct {
	t         *Transcriber
	uid       types.UID
	session   types.NamespacedName
	pod       types.NamespacedName
	container string
	stop      context.CancelFunc
	ended     chan struct{} // closed when the debugger prints no more
	endOnce   sync.Once

	// Of the goroutine that runs it.
	encoder *transcript.Encoder
	cursor  transcript.Cursor // as far as buffer and the parts go
	buffer  []byte            // what the next part will have
	since   time.Time         // when the first byte came into it
	sum     hash.Hash         // of the parts
	status  v1alpha1.TranscriptStatus
	clean   bool      // a stream ended as it does when the container has, and nothing was printed since
	gap     bool      // the node has removed lines that were not read
	tries   int       // to get the log, in a row and in vain
	over    time.Time // when it was first seen that the debugger has ended

	mu      sync.Mutex
	state   plan.TranscriptState
	awaited bool          // its session asks for the state
	wanted  chan struct{} // closed then
}

func newFollower(t *Transcriber, session *v1alpha1.DebugSession, stop context.CancelFunc) *follower {
	debugger, format := session.Status.Debugger, v1alpha1.TranscriptText
	if session.Spec.Debugger.TTY {
		format = v1alpha1.TranscriptCast
	}
	return &follower{
		t: t, uid: session.UID, session: client.ObjectKeyFromObject(session), stop: stop, ended: make(chan struct{}), wanted: make(chan struct{}), sum: sha256.New(),
		pod: types.NamespacedName{Namespace: session.Namespace, Name: debugger.PodName}, container: debugger.ContainerName,
		encoder: transcript.NewEncoder(format, session.Namespace+"/"+session.Name),
		status:  v1alpha1.TranscriptStatus{Key: audit.TranscriptKey(session), Format: format},
	}
}

// end is told that the debugger prints no more.
func (f *follower) end() { f.endOnce.Do(func() { close(f.ended) }) }

// await is the state, of whose changes the session is told from now on.
func (f *follower) await() plan.TranscriptState {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.awaited {
		f.awaited = true
		close(f.wanted)
	}
	state := f.state
	state.Stored = state.Stored.DeepCopy()
	return state
}

// update changes the state, and tells who waits for it.
func (f *follower) update(change func(*plan.TranscriptState)) {
	f.mu.Lock()
	before := f.state
	change(&f.state)
	now, awaited := f.state, f.awaited
	f.mu.Unlock()
	news := now.CaughtUp && !before.CaughtUp || now.Failure != before.Failure
	switch {
	case now.Stored != before.Stored:
		f.t.Enqueue(f.session) // it may have asked before this process could tell
		f.t.Complete(f.uid)
	case awaited && news:
		f.t.Enqueue(f.session)
	}
}

func (f *follower) isAwaited() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.awaited
}

// run reads the log to its end, over lost connections, and then says what the transcript is.
func (f *follower) run(ctx context.Context) {
	defer f.stop()
	if f.persist(ctx, f.resume) != nil {
		return
	}
	for ctx.Err() == nil {
		over := f.isOver()
		var err error
		if !f.encoder.Cut() {
			err = f.follow(ctx)
		}
		f.clean = f.clean || err == nil
		f.update(func(s *plan.TranscriptState) { s.CaughtUp = false })
		switch reason, done := f.settled(err, over); {
		case ctx.Err() != nil:
			return
		case done:
			f.finish(ctx, reason)
			return
		}
		f.pause(ctx)
	}
}

// isOver reports whether the debugger prints no more, and notes since when that is known.
func (f *follower) isOver() bool {
	select {
	case <-f.ended:
	default:
		return false
	}
	if f.over.IsZero() {
		f.over, f.tries = time.Now(), 0
	}
	return true
}

// settled reports whether nothing more is to be had of the log after a stream that ended so, and why that may not be all.
func (f *follower) settled(err error, over bool) (reason string, done bool) {
	var foreign *transcript.ForeignError
	switch {
	case f.encoder.Cut(), err == nil && over:
		return "", true
	case err == nil:
		return "", false
	case apierrors.IsNotFound(err) && f.clean:
		return "", true
	case apierrors.IsNotFound(err):
		return "the debugger's pod was gone before its log was fully read", true
	case !over:
		return "", false
	}
	final := errors.As(err, &foreign) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err)
	if final && f.tries >= triesWhenOver || time.Since(f.over) > plan.TranscriptTimeout {
		return "the debugger's log could not be fully read: " + err.Error(), true
	}
	return "", false
}

// pause waits before the log is asked for again: longer each time that nothing came of it, but not when the debugger has ended meanwhile.
func (f *follower) pause(ctx context.Context) {
	ended, atMost := f.ended, retry.LastPause
	if !f.over.IsZero() { // that is known already
		ended, atMost = nil, longestPauseWhenOver
	}
	timer := time.NewTimer(min(retry.Pause(f.tries), atMost))
	f.tries++
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-ended:
	case <-timer.C:
	}
}

// resume finds the parts that an operator before this one has stored.
func (f *follower) resume(ctx context.Context) error {
	keys, err := f.t.Store.Keys(ctx, f.status.Key)
	if err != nil || len(keys) == 0 {
		return err
	}
	last, ok := transcript.ParsePart(path.Base(keys[len(keys)-1]))
	if !ok {
		return fmt.Errorf("%s is not part of a transcript", keys[len(keys)-1])
	}
	var first firstPart
	f.sum.Reset()
	found, err := audit.ReadParts(ctx, f.t.Store, f.status.Key, io.MultiWriter(&first, f.sum))
	if err != nil {
		return err
	}
	if err := f.encoder.Resume(first.text, found.Bytes, last); err != nil {
		return fmt.Errorf("resuming %s: %w", f.status.Key, err)
	}
	f.status.Parts, f.status.Bytes, f.cursor = int32(last.Number), found.Bytes, last.Cursor
	return nil
}

// firstPart keeps what an encoder needs to know of what was stored.
type firstPart struct{ text []byte }

const longestHeader = 1 << 10

func (p *firstPart) Write(text []byte) (int, error) {
	p.text = append(p.text, text[:min(len(text), longestHeader-len(p.text))]...)
	return len(text), nil
}

// flush stores what was read since the last part, and does not return before that, or before the context ends.
func (f *follower) flush(ctx context.Context) error {
	if len(f.buffer) == 0 {
		return nil
	}
	if err := f.persist(ctx, f.storePart); err != nil {
		return err
	}
	f.sum.Write(f.buffer)
	f.status.Bytes += int64(len(f.buffer))
	if f.buffer = f.buffer[:0]; cap(f.buffer) > keptBytes {
		f.buffer = nil
	}
	return nil
}

// storePart writes the buffer. If it is there already the answer to an earlier try was lost.
func (f *follower) storePart(ctx context.Context) error {
	number := f.status.Parts + 1
	part := transcript.Part{Number: int(number), Cursor: f.cursor, Cut: f.encoder.Cut(), Format: f.status.Format}
	if err := f.t.Store.Put(ctx, f.status.Key+part.Name(), f.buffer); err != nil {
		return err
	}
	f.status.Parts = number
	return nil
}

// persist tries something that the store does until it has worked.
func (f *follower) persist(ctx context.Context, try func(context.Context) error) error {
	for tries := 0; ; tries++ {
		err := f.try(ctx, try)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			f.update(func(s *plan.TranscriptState) { s.Failure = "" })
			return nil
		}
		log.FromContext(ctx).Error(err, "cannot store the transcript, retrying")
		f.update(func(s *plan.TranscriptState) {
			if s.Failure == "" { // a store may say it in other words each time
				s.Failure = err.Error()
			}
		})
		retry.Wait(ctx, tries)
	}
}

// tryTimeout is how long the store may take for one try.
const tryTimeout = 30 * time.Second

func (f *follower) try(ctx context.Context, do func(context.Context) error) error {
	select {
	case f.t.free <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.t.free }()
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	err := do(ctx)
	if err == nil {
		f.t.Metrics.parts.WithLabelValues(resultStored).Inc()
	} else {
		f.t.Metrics.parts.WithLabelValues(resultFailed).Inc()
	}
	return err
}

// finish says what the transcript is, once all of it is stored.
func (f *follower) finish(ctx context.Context, reason string) {
	if f.flush(ctx) != nil {
		return
	}
	status := f.status
	status.Cut = f.encoder.Cut()
	if status.Parts > 0 {
		status.SHA256 = hex.EncodeToString(f.sum.Sum(nil))
	}
	if reason == "" && f.gap {
		reason = "its node removed lines of the debugger's log before they were read"
	}
	reason = plaintext.Line(reason)
	status.Incomplete = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	f.update(func(s *plan.TranscriptState) { s.Read, s.Stored = true, &status })
}
