package transcriber

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/memblob"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/transcript"
)

// node is where a debugger runs that prints, as a Source.
type node struct {
	mu     sync.Mutex
	lines  []string // with timestamps
	ended  bool
	gone   bool
	fails  error // what is answered instead of the log
	breaks int   // after how many bytes a stream breaks off; 0: it does not
	asked  []time.Time
	change chan struct{}
}

func newNode() *node { return &node{change: make(chan struct{})} }

func (n *node) update(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	close(n.change)
	n.change = make(chan struct{})
}

func (n *node) prints(line string) {
	n.update(func() {
		n.lines = append(n.lines, time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z07:00")+" "+line)
	})
}

// times is how often the log was asked for.
func (n *node) times() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.asked)
}

func (n *node) Follow(ctx context.Context, _ types.NamespacedName, container string, since time.Time) (io.ReadCloser, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, since)
	switch {
	case n.fails != nil:
		return nil, n.fails
	case n.gone:
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), "web")
	}
	if len(n.lines) == 0 && !n.ended { // as a kubelet does
		n.mu.Unlock()
		<-ctx.Done()
		n.mu.Lock()
		return nil, ctx.Err()
	}
	out, in := io.Pipe()
	go n.stream(ctx, in, since)
	return out, nil
}

var errBroken = errors.New("connection reset by peer")

func (n *node) stream(ctx context.Context, to *io.PipeWriter, since time.Time) {
	sent, written := 0, 0
	for {
		n.mu.Lock()
		lines, ended, breaks, change := n.lines[sent:], n.ended, n.breaks, n.change
		n.mu.Unlock()
		for _, line := range lines {
			sent++
			stamp, _, _ := strings.Cut(line, " ")
			if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil && at.Before(since) {
				continue
			}
			if breaks > 0 && written+len(line) > breaks {
				_, _ = to.Write([]byte(line[:breaks-written]))
				_ = to.CloseWithError(errBroken)
				n.update(func() { n.breaks += 40 })
				return
			}
			k, err := to.Write([]byte(line))
			if err != nil {
				return
			}
			written += k
		}
		if ended && len(lines) == 0 {
			_ = to.Close()
			return
		}
		if len(lines) > 0 {
			continue
		}
		select {
		case <-change:
		case <-ctx.Done():
			_ = to.CloseWithError(ctx.Err())
			return
		}
	}
}

// operator is a transcriber, and what it has told.
type operator struct {
	*Transcriber
	mu       sync.Mutex
	enqueued int
	complete []types.UID
	stop     func()
}

// told is how often sessions were enqueued, and whose transcripts are complete.
func (o *operator) told() (enqueued int, complete []types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.enqueued, slices.Clone(o.complete)
}

func start(t *testing.T, store *auditstore.Store, source Source) *operator {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o := &operator{}
	o.Transcriber = &Transcriber{
		Store: store, Source: source, Metrics: NewMetrics(),
		Enqueue:  func(types.NamespacedName) { o.mu.Lock(); defer o.mu.Unlock(); o.enqueued++ },
		Complete: func(uid types.UID) { o.mu.Lock(); defer o.mu.Unlock(); o.complete = append(o.complete, uid) },
	}
	o.begin(ctx)
	o.stop = func() { cancel(); o.working.Wait() }
	t.Cleanup(o.stop)
	return o
}

// stored waits for a session's transcript; nil if it takes hours.
func (o *operator) stored(session *v1alpha1.DebugSession) *v1alpha1.TranscriptStatus {
	for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(100 * time.Millisecond) {
		if stored := o.State(session, false).Stored; stored != nil {
			return stored
		}
	}
	return nil
}

func memory(t *testing.T) *auditstore.Store {
	t.Helper()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	return auditstore.New(bucket, "mem://")
}

// attached is a session whose debugger runs and prints to a terminal.
func attached() *v1alpha1.DebugSession {
	session, at := fixture.Session(), metav1.NewTime(time.Now().Truncate(time.Second))
	session.Spec.Debugger.TTY = true
	session.Status = v1alpha1.DebugSessionStatus{
		Phase: v1alpha1.PhaseActive, StartedAt: &at,
		Class:    &v1alpha1.ClassStatus{Name: "standard", Transcript: v1alpha1.TranscriptBestEffort},
		Debugger: &v1alpha1.DebuggerStatus{PodName: "web", ContainerName: "debugger", StartedAt: &at},
	}
	return session
}

func ended(session *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	session, at := session.DeepCopy(), metav1.Now()
	session.Status.Phase, session.Status.EndedAt, session.Status.Debugger.FinishedAt = v1alpha1.PhaseEnding, &at, &at
	return session
}

// printed is what the transcript in the store tells was printed.
func printed(t *testing.T, store *auditstore.Store, status *v1alpha1.TranscriptStatus) string {
	t.Helper()
	var text strings.Builder
	found, err := audit.ReadParts(context.Background(), store, status.Key, &text)
	if err != nil {
		t.Fatal(err)
	}
	if found.Count != status.Parts || found.Bytes != status.Bytes || found.SHA256 != status.SHA256 {
		t.Errorf("the store has %+v, and what is said of it is %+v", found, status)
	}
	if status.Format == v1alpha1.TranscriptText {
		return text.String()
	}
	events, err := transcript.Events([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, event := range events {
		all.WriteString(event.Data)
	}
	return all.String()
}

// All that is printed is in the transcript, once: over streams that break off, and operators that are replaced.
func TestTranscriptIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, node := memory(t), newNode()
		node.breaks = 60
		operator, session, want := start(t, store, node), attached(), ""
		operator.look(session)
		for i := range 50 {
			line := fmt.Sprintf("line %d, and some more\r\n", i)
			node.prints(line)
			want += line
			time.Sleep(700 * time.Millisecond)
			if i%12 == 11 {
				operator.stop()
				operator = start(t, store, node)
				operator.look(session)
			}
		}
		node.update(func() { node.ended, node.breaks = true, 0 })
		session = ended(session)
		status := operator.stored(session)
		if got := printed(t, store, status); got != want || status.Incomplete != "" || status.Cut || status.Parts < 3 {
			t.Errorf("%+v:\n%s", status, got)
		}
		if enqueued, complete := operator.told(); !slices.Equal(complete, []types.UID{session.UID}) || enqueued == 0 {
			t.Errorf("complete: %v, enqueued %d times", complete, enqueued)
		}
		operator.Forget(session.UID)
		operator.stop()
	})
}

// A session that asks is told when all there is has been read and stored, while its debugger runs.
func TestLogIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, node := memory(t), newNode()
		operator, session := start(t, store, node), attached()
		node.prints("a\r\n")
		if operator.State(session, false).CaughtUp {
			t.Error("before anything was read")
		}
		time.Sleep(2 * quiet)
		synctest.Wait()
		state := operator.State(session, false)
		keys, err := store.Keys(t.Context(), audit.TranscriptPrefix)
		if enqueued, _ := operator.told(); !state.CaughtUp || state.Read || enqueued != 1 || len(keys) != 1 || err != nil {
			t.Errorf("%+v, enqueued %d times, stored %v, %v", state, enqueued, keys, err)
		}
		operator.stop()
	})
}

// Of a debugger that prints nothing all is read.
func TestSilentDebuggerIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		operator, session := start(t, memory(t), newNode()), attached()
		operator.State(session, false)
		time.Sleep(2 * opening)
		synctest.Wait()
		state := operator.State(session, false)
		if enqueued, _ := operator.told(); !state.CaughtUp || enqueued != 1 {
			t.Errorf("%+v, enqueued %d times", state, enqueued)
		}
		operator.stop()
	})
}

// A kubelet that does not end a log holds up its session for a bounded time.
func TestLogWithoutEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newNode()
		operator, session := start(t, memory(t), node), attached()
		node.prints("a\r\n")
		began := time.Now()
		session = ended(session)
		status := operator.stored(session)
		if took := time.Since(began); status == nil || !strings.Contains(status.Incomplete, "does not end it") ||
			took > plan.TranscriptTimeout+10*time.Second {
			t.Errorf("after %s: %+v", took, status)
		}
		operator.stop()
	})
}

// Why some may be missing is said, in the end.
func TestTranscriptIsIncomplete(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*node)
		want   string
		within time.Duration
	}{
		"its pod is gone": {func(n *node) { n.gone = true }, "pod was gone before its log was fully read", time.Second},
		"its log is gone": {func(n *node) {
			n.fails = apierrors.NewBadRequest("container \"debugger\" in pod \"web\" is not available")
		}, "is not available", 30 * time.Second},
		"the node does not answer": {
			func(n *node) { n.fails = errors.New("dial tcp: i/o timeout") },
			"i/o timeout",
			plan.TranscriptTimeout + 15*time.Second,
		},
		"the kubelet says something": {
			func(n *node) { n.lines, n.ended = []string{"unable to retrieve container logs\n"}, true },
			"unable to retrieve container logs",
			30 * time.Second,
		},
		"lines were removed": {
			func(n *node) { n.lines, n.ended = nil, true; n.lines = append(n.lines, "2126-11-28T14:00:00Z later\n") },
			"its node removed lines",
			30 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, node := memory(t), newNode()
				operator, session := start(t, store, node), attached()
				node.prints("a\r\n")
				operator.State(session, false)
				time.Sleep(time.Second)
				operator.stop()
				node.update(func() { tc.change(node) })
				operator = start(t, store, node)
				began := time.Now()
				session = ended(session)
				status := operator.stored(session)
				took := time.Since(began)
				if status == nil || !strings.Contains(status.Incomplete, tc.want) || took > tc.within {
					t.Fatalf("after %s: %+v", took, status)
				}
				if got := printed(t, store, status); !strings.HasPrefix(got, "a\r\n") {
					t.Errorf("printed: %q", got)
				}
				operator.stop()
			})
		})
	}
}

// A log that was read to its end is all there is, whatever a kubelet says that is asked for it once more while it removes the container.
func TestTranscriptIsWholeThoughItsPodGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, node := memory(t), newNode()
		operator, session := start(t, store, node), attached()
		node.prints("a\r\n")
		operator.State(session, false)
		time.Sleep(time.Second)
		node.update(func() { node.ended = true })
		synctest.Wait()
		node.update(func() { node.lines = append(node.lines, "unable to retrieve container logs\n") })
		for before := node.times(); node.times() == before; {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		node.update(func() { node.gone = true })
		session = ended(session)
		if status := operator.stored(session); status == nil || status.Incomplete != "" || printed(t, store, status) != "a\r\n" {
			t.Errorf("%+v", status)
		}
		operator.stop()
	})
}

// A debugger that prints without end is cut off, and its log not read any more; what a one-shot prints is plain text.
func TestTranscriptIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, node := memory(t), newNode()
		operator, session := start(t, store, node), attached()
		session.Spec.Debugger.TTY = false
		for range 12 {
			node.prints(strings.Repeat("x", 1<<20) + "\n")
		}
		operator.look(session)
		status := operator.stored(session)
		if got := printed(t, store, status); !status.Cut || len(got) > transcript.MaxBytes+1000 ||
			!strings.Contains(got[len(got)-100:], "the transcript is cut here") {
			t.Errorf("%+v: ends with %q", status, got[max(0, len(got)-100):])
		}
		operator.stop()
		if len(node.asked) != 1 {
			t.Errorf("the log was asked for %d times", len(node.asked))
		}
	})
}

// A store that fails is said once, and nothing is read meanwhile.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := auditstore.New(memblob.OpenBucket(nil), "mem://")
		if err := blocked.Close(); err != nil {
			t.Fatal(err)
		}
		node := newNode()
		operator, session := start(t, blocked, node), attached()
		node.prints("a\r\n")
		operator.State(session, false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		state := operator.State(session, false)
		operator.stop()
		if enqueued, _ := operator.told(); state.Failure == "" || state.CaughtUp || enqueued != 1 || len(node.asked) != 0 {
			t.Errorf("%+v, enqueued %d times, asked %d times", state, enqueued, len(node.asked))
		}
	})
}

// What leaves no transcript costs nothing.
func TestNoTranscriptNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newNode()
		operator := start(t, memory(t), node)
		for _, change := range []func(*v1alpha1.DebugSessionStatus){
			func(s *v1alpha1.DebugSessionStatus) { s.Class.Transcript = v1alpha1.TranscriptNone },
			func(s *v1alpha1.DebugSessionStatus) { s.Class.Transcript = "" },
			func(s *v1alpha1.DebugSessionStatus) { s.Class = nil },
			func(s *v1alpha1.DebugSessionStatus) { s.Debugger.StartedAt = nil },
			func(s *v1alpha1.DebugSessionStatus) { s.Debugger = nil },
			func(s *v1alpha1.DebugSessionStatus) { s.Audit = &v1alpha1.AuditStatus{} },
			func(s *v1alpha1.DebugSessionStatus) { s.Transcript = &v1alpha1.TranscriptStatus{} },
		} {
			session := attached()
			change(&session.Status)
			operator.State(session, false)
		}
		synctest.Wait()
		if len(node.asked) > 0 || len(operator.followers) > 0 {
			t.Errorf("asked %d times", len(node.asked))
		}
		operator.stop()
	})
}
