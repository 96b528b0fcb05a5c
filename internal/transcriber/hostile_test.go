package transcriber

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/blobtest"
	"debugsession.dev/operator/internal/transcript"
)

const (
	mib = 1 << 20

	// hostileBytes is what a hostile debugger prints.
	hostileBytes = 1 << 30

	// streamBytes is how much memory the operator may need for a stream, whatever comes of it: a part that is read, and one that is stored.
	streamBytes = 2 * mib
)

// flood is the log of a debugger that prints lines without end, as a Source: made when it is read. It measures the memory that is in use.
type flood struct {
	line  text
	stamp func(n int) time.Time // of the nth line
	size  int64                 // of the log

	mu   sync.Mutex
	read int64
	most uint64 // memory in use
}

// text is a line: so often the same, and then its end. It may be longer than what there is memory for.
type text struct {
	unit  string
	times int
	end   string
}

func (f *flood) Follow(context.Context, types.NamespacedName, string, time.Time) (io.ReadCloser, error) {
	return &floodReader{flood: f}, nil
}

// floodReader reads it from its beginning.
type floodReader struct {
	*flood
	sent     int64
	lines    int
	units    int // that are still to come of the line
	rest     string
	measured int64
}

func (r *floodReader) Read(p []byte) (int, error) {
	if r.sent >= r.size {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		if r.rest == "" {
			r.next()
		}
		k := copy(p[n:], r.rest)
		n, r.rest = n+k, r.rest[k:]
	}
	n = int(min(int64(n), r.size-r.sent))
	r.sent += int64(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flood.read += int64(n)
	if r.sent-r.measured >= mib {
		r.measured = r.sent
		r.most = max(r.most, inUse())
	}
	return n, nil
}

// next makes what comes next.
func (r *floodReader) next() {
	switch {
	case r.units > 1:
		r.units--
		r.rest = r.line.unit
	case r.units == 1:
		r.units = 0
		r.rest = r.line.end
	default:
		r.units = r.line.times + 1
		r.rest = r.stamp(r.lines).Format(stampFormat) + " "
		r.lines++
	}
}

const stampFormat = "2006-01-02T15:04:05.000000000Z07:00"

func (r *floodReader) Close() error { return nil }

// inUse is how much of the heap is in use.
func inUse() uint64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}

// follows drives a debugger that has ended to a transcript, and returns that and the memory that it took.
func (f *flood) follows(t *testing.T, store *auditstore.Store, tty bool) (*v1alpha1.TranscriptStatus, uint64) {
	t.Helper()
	before := inUse()
	operator, session := start(t, store, f), attached()
	session.Spec.Debugger.TTY = tty
	defer operator.stop()
	complete := make(chan struct{})
	operator.Complete = func(types.UID) { close(complete) }
	operator.State(ended(session), false)
	select {
	case <-complete:
	case <-time.After(2 * time.Minute):
		t.Fatal("there is no transcript")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return operator.State(ended(session), false).Stored, f.most - min(before, f.most)
}

// folder is a store that takes no memory.
func folder(t *testing.T) *auditstore.Store {
	t.Helper()
	store, err := auditstore.Open(t.Context(), "file://"+filepath.ToSlash(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// Whatever a debugger prints, its transcript ends at its bound with the words that say so, is what its format promises, and takes a
// bounded memory; and what comes after the bound is not read.
func TestHostileDebugger(t *testing.T) {
	began := time.Date(2026, 11, 28, 14, 0, 0, 0, time.UTC)
	forwards := func(n int) time.Time { return began.Add(time.Duration(n) * time.Millisecond) }
	backwards := func(n int) time.Time { return began.Add(-time.Duration(n) * time.Millisecond) }
	still := func(int) time.Time { return began }
	const sixteen = "0123456789abcdef"
	random, noise := rand.New(rand.NewPCG(1, 2)), make([]byte, 4<<10)
	for i := range noise {
		if noise[i] = byte(random.Uint32()); noise[i] == '\n' {
			noise[i] = 0xff
		}
	}
	for name, tc := range map[string]struct {
		line  text
		stamp func(int) time.Time
	}{
		"lines":                         {text{"nothing to see ", 5, "\r\n"}, forwards},
		"only escape sequences":         {text{"\x1b[2J\x1b[31m\x1b]52;c;aGk=\x07", 50, "\n"}, forwards},
		"lines of 16 MiB":               {text{sixteen, mib, "\n"}, forwards},
		"a line without end":            {text{sixteen, hostileBytes / len(sixteen), "\n"}, forwards},
		"bytes that are not UTF-8":      {text{string(noise), 1, "\n"}, forwards},
		"beginnings of characters":      {text{"\xf0\x9d", 1000, "\xf0\n"}, forwards},
		"NULs":                          {text{"\x00", 1000, "\n"}, forwards},
		"carriage returns":              {text{"\r", 1000, "\n"}, forwards},
		"times that go backwards":       {text{sixteen, 32, "\r\n"}, backwards},
		"everything at the same moment": {text{sixteen, 32, "\r\n"}, still},
	} {
		for _, tty := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, terminal %v", name, tty), func(t *testing.T) {
				log, store := &flood{line: tc.line, stamp: tc.stamp, size: hostileBytes}, folder(t)
				status, memory := log.follows(t, store, tty)
				t.Logf("%d KiB of memory; %.1f MiB were read of %d MiB; the transcript has %.1f MiB in %d parts",
					memory>>10, float64(log.read)/mib, hostileBytes/mib, float64(status.Bytes)/mib, status.Parts)
				if !status.Cut || status.Incomplete != "" || status.Bytes > transcript.MaxBytes+1<<10 ||
					status.Bytes < transcript.MaxBytes-mib {
					t.Errorf("%+v", status)
				}
				if memory > streamBytes {
					t.Errorf("it takes %d KiB of memory", memory>>10)
				}
				if log.read > 2*transcript.MaxBytes {
					t.Errorf("%d bytes were read", log.read)
				}
				got := printed(t, store, status)
				if end := got[len(got)-200:]; !strings.HasSuffix(strings.TrimRight(end, "\r\n"),
					"[debugsession: the transcript is cut here, as it has reached 10 MiB]") {
					t.Errorf("it ends with %q", end)
				}
				if harmful := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }); !tty &&
					harmful >= 0 {
					t.Errorf("at %d of the text is %q", harmful, got[harmful])
				}
				if !utf8.ValidString(got) {
					t.Error("it is not UTF-8")
				}
			})
		}
	}
}

// An operator that starts passes over what was read before it, however much was printed in a single second, and holds none of it.
func TestHostileDebuggerIsGoneOnWith(t *testing.T) {
	at := time.Date(2026, 11, 28, 14, 0, 0, 0, time.UTC)
	const line = "\x1b[2J\n"
	const lines = 2_000_000
	stamped := len(at.Format(stampFormat) + " " + line)
	log, store := &flood{line: text{line, 1, ""}, stamp: func(int) time.Time { return at }, size: int64(lines * stamped)}, folder(t)
	// What an operator before it has stored: all but the last 10,000 lines.
	part := transcript.Part{Number: 1, Cursor: transcript.Cursor{At: at, Lines: lines - 10_000}, Format: v1alpha1.TranscriptText}
	f := newFollower(&Transcriber{}, plainly(attached()), nil)
	if err := store.Create(t.Context(), f.status.Key+part.Name(), []byte("before\n")); err != nil {
		t.Fatal(err)
	}
	status, memory := log.follows(t, store, false)
	t.Logf("%d KiB of memory, %d MiB read", memory>>10, log.read>>20)
	want := "before\n" + strings.Repeat("␛[2J\n", 10_000)
	if got := printed(t, store, status); got != want || status.Cut || status.Incomplete != "" || memory > streamBytes {
		t.Errorf("%+v, %d bytes of %d, %d KiB of memory", status, len(got), len(want), memory>>10)
	}
}

// plainly is a session whose debugger has no terminal.
func plainly(session *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	session.Spec.Debugger.TTY = false
	return session
}

// While its store does not answer, a debugger that prints without end is not read on.
func TestHostileDebuggerWithoutAStore(t *testing.T) {
	hangs := make(chan struct{})
	memory := &blobtest.Memory{}
	store := auditstore.New(memory.Open(func(call, _ string, do func() error) error {
		if call == blobtest.Write {
			<-hangs
			return os.ErrDeadlineExceeded
		}
		return do()
	}), "mem://")
	log := &flood{line: text{"x", 1000, "\n"}, stamp: func(int) time.Time { return time.Unix(1, 0) }, size: hostileBytes}
	before := inUse()
	operator := start(t, store, log)
	operator.look(attached())
	read := func() int64 { log.mu.Lock(); defer log.mu.Unlock(); return log.read }
	for end := time.Now().Add(time.Minute); read() < partBytes && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Second) // in which nothing may be read: that cannot be waited for
	if got, took := read(), inUse()-min(before, inUse()); got < partBytes || got > partBytes+4*readBytes || took > streamBytes {
		t.Errorf("%d bytes were read, which take %d KiB", got, took>>10)
	}
	close(hangs)
	operator.stop()
}
