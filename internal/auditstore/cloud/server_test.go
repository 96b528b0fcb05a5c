package cloud

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/transcript"
	"debugsession.dev/operator/test/ports"
)

var (
	public, private, _ = ed25519.GenerateKey(nil)
	at                 = time.Date(2026, time.November, 27, 12, 0, 0, 0, time.UTC)
)

// server is one that was started as a process.
type server struct {
	binary          string
	arguments       func(host, port, folder string) []string
	ending          syscall.Signal // SIGKILL, as a power cut, where the server has written down what it answers for
	address, folder string
	url             func(prefix string) string // the store as --audit-store names it
	cmd             *exec.Cmd
}

// buildServer returns the server that the variable names, which make test-integration builds from one of this repository's modules.
func buildServer(t *testing.T, variable, what string) *server {
	t.Helper()
	return &server{
		binary: binary(t, variable, what, "make test-integration"), ending: syscall.SIGKILL,
		arguments: func(host, port, folder string) []string {
			return []string{"--address=" + net.JoinHostPort(host, port), "--folder=" + folder, "--bucket=audit"}
		},
	}
}

// binary is what the variable names. Without it the test is skipped.
func binary(t *testing.T, variable, what, remedy string) string {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skip(variable + " names no server of " + what + "; " + remedy + " has one")
	}
	return os.Getenv(variable)
}

// start starts it for the test, on a port that is free.
func (s *server) start(t *testing.T) {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	s.address, s.folder = net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), t.TempDir()
	t.Cleanup(s.end)
	s.restart(t)
}

// restart starts it on its port, and waits until it answers.
func (s *server) restart(t *testing.T) {
	t.Helper()
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(s.binary, s.arguments(host, port, s.folder)...)
	s.cmd.Stdout, s.cmd.Stderr = os.Stderr, os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal("the server does not answer:", err)
		}
	}
}

// end ends it, also if it does not do so by itself.
func (s *server) end() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	forced := time.AfterFunc(10*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer forced.Stop()
	_ = s.cmd.Process.Signal(s.ending)
	_ = s.cmd.Wait() // it was ended
}

func (s *server) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// open opens a folder of the bucket, as the operator does, and as whoever tampers with it.
func (s *server) open(t *testing.T, prefix string) (*auditstore.Store, *blob.Bucket) {
	t.Helper()
	store, err := auditstore.Open(t.Context(), s.url(prefix))
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.OpenBucket(t.Context(), s.url(prefix))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	return store, bucket
}

// memory is an anchor.
type memory struct{ head *audit.Head }

func (m *memory) Head(context.Context) (*audit.Head, error) { return m.head, nil }
func (m *memory) Remember(head audit.Head)                  { m.head = &head }

// record is one of a namespace and a day for each three.
func record(i int) *audit.Record {
	session := fixture.Session()
	session.Namespace, session.Name, session.UID = fmt.Sprint("team-", i%3), fmt.Sprint("hang-", i), types.UID(fmt.Sprint("uid-", i))
	ended := metav1.NewTime(at.AddDate(0, 0, i/3))
	session.Status.Phase, session.Status.EndedAt = v1alpha1.PhaseEnded, &ended
	return audit.OfSession("eu-1", session, nil)
}

func put(t *testing.T, chain *auditstore.Chain, i int) auditstore.Stored {
	t.Helper()
	stored, err := chain.Put(t.Context(), record(i), at)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func verify(t *testing.T, store *auditstore.Store, known *audit.Head) string {
	t.Helper()
	result, err := audit.Verify(t.Context(), store, public, known)
	if err != nil {
		t.Fatal(err)
	}
	found := []string{fmt.Sprint(result.Links, " links")}
	for _, fault := range result.Faults {
		found = append(found, fmt.Sprint(fault.Kind, " ", fault.Sequence))
	}
	return strings.Join(found, ", ")
}

// createsOnce: a server does what the operator asks of a store: an object is created once, whoever is faster.
func createsOnce(t *testing.T, server *server) {
	t.Helper()
	store, _ := server.open(t, "once/")
	createdOnce(t, store)
}

func createdOnce(t *testing.T, store *auditstore.Store) {
	t.Helper()
	const writers = 16
	errs := make([]error, writers)
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() { errs[i] = store.Create(t.Context(), "chain/1.json", []byte(fmt.Sprint(i))) })
	}
	writing.Wait()
	created := -1
	for i, err := range errs {
		switch {
		case err == nil && created >= 0:
			t.Errorf("%d and %d have both created it", created, i)
		case err == nil:
			created = i
		case !store.Exists(err):
			t.Errorf("an error that says nothing of an object being there: %v", err)
		}
	}
	if text, err := store.Read(t.Context(), "chain/1.json"); err != nil || string(text) != fmt.Sprint(created) {
		t.Errorf("%d has created it, and there is %q, %v", created, text, err)
	}
	if _, err := store.Read(t.Context(), "nothing"); !store.NotFound(err) {
		t.Errorf("what is not there: %v", err)
	}
}

// keepsRecords: records are listed by day and namespace, and the chain goes on over restarts of the operator and of the server, also with
// several operators at once.
func keepsRecords(t *testing.T, server *server) {
	t.Helper()
	store, _ := server.open(t, "kept/")
	anchor := &memory{}
	for i := range 6 { // a new operator for each
		put(t, auditstore.NewChain(store, private, anchor), i)
	}
	server.end()
	if _, err := auditstore.NewChain(store, private, anchor).Put(shortly(t), record(6), at); err == nil {
		t.Error("a record is stored in a store that is down")
	}
	server.restart(t)
	var writing sync.WaitGroup
	for w := range 2 { // one that is slow to see that it does not lead any more
		chain := auditstore.NewChain(store, private, &memory{head: anchor.head})
		for i := 6 + 3*w; i < 9+3*w; i++ {
			writing.Go(func() {
				if _, err := chain.Put(t.Context(), record(i), at); err != nil {
					t.Error(err)
				}
			})
		}
	}
	writing.Wait()
	first := put(t, auditstore.NewChain(store, private, nil), 0) // again
	if first.Key != "records/2026-11-27/team-0/hang-0-uid-0.json" {
		t.Errorf("its key is %s", first.Key)
	}
	if got := verify(t, store, anchor.head); got != "12 links" {
		t.Error(got)
	}
	for prefix, want := range map[string]int{"records/2026-11-28/": 3, "records/2026-11-28/team-1/": 1, "records/2026-12-01/": 0} {
		if keys, err := store.Keys(t.Context(), prefix); err != nil || len(keys) != want {
			t.Errorf("%s: %v, %v", prefix, keys, err)
		}
	}
	records, err := audit.Read(t.Context(), store, audit.Query{Namespace: "team-2", Since: at.AddDate(0, 0, 2)})
	if err != nil || len(records) != 2 || records[0].Session.Name != "hang-8" || records[1].Session.Name != "hang-11" {
		t.Errorf("%d records, %v", len(records), err)
	}
}

// outlivesAHang: a server that does not answer holds nobody up for longer than was asked, and what it was sent is there once in the end,
// whether it still takes it or not.
func outlivesAHang(t *testing.T, server *server) {
	t.Helper()
	store, _ := server.open(t, "hung/")
	anchor := &memory{}
	chain := auditstore.NewChain(store, private, anchor)
	put(t, chain, 0)
	server.signal(t, syscall.SIGSTOP)
	began := time.Now()
	if _, err := chain.Put(shortly(t), record(1), at); err == nil {
		t.Error("a record is stored in a store that hangs")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to give up", took)
	}
	server.signal(t, syscall.SIGCONT)
	put(t, chain, 1)
	put(t, auditstore.NewChain(store, private, anchor), 2)
	if got := verify(t, store, anchor.head); got != "3 links" {
		t.Error(got)
	}
}

// keepsTranscripts: the parts of a transcript are read as one, in their order, and what is done to them is found.
func keepsTranscripts(t *testing.T, server *server) {
	t.Helper()
	for name, tc := range map[string]struct {
		tamper func(t *testing.T, bucket *blob.Bucket, parts []string)
		want   string
	}{
		"nothing":              {func(*testing.T, *blob.Bucket, []string) {}, "1 links"},
		"a part is changed":    {func(t *testing.T, b *blob.Bucket, parts []string) { change(t, b, parts[1]) }, "1 links, TranscriptChanged 1"},
		"parts are exchanged":  {func(t *testing.T, b *blob.Bucket, parts []string) { exchange(t, b, parts[0], parts[9]) }, "1 links, TranscriptChanged 1"},
		"a part is removed":    {func(t *testing.T, b *blob.Bucket, parts []string) { remove(t, b, parts[4]) }, "1 links, TranscriptRemoved 1"},
		"the last parts go":    {func(t *testing.T, b *blob.Bucket, parts []string) { remove(t, b, parts[10:]...) }, "1 links, TranscriptRemoved 1"},
		"a part comes to them": {func(t *testing.T, b *blob.Bucket, parts []string) { write(t, b, parts[11]+".cast", "[]") }, "1 links, TranscriptChanged 1"},
	} {
		t.Run(name, func(t *testing.T) {
			store, bucket := server.open(t, strings.ReplaceAll(name, " ", "-")+"/")
			recorded := record(0)
			key := audit.TranscriptPrefix + "2026-11-27/team-0/hang-0-uid-0/"
			var parts []string
			var printed strings.Builder
			for number := 1; number <= 12; number++ { // as large as they are at most
				text := strings.Repeat(fmt.Sprintf("[%d.5, \"o\", \"▒\\u001b[1m\"]\n", number), 256<<10/24)
				part := transcript.Part{Number: number, Cursor: transcript.Cursor{At: at, Lines: number}, Format: v1alpha1.TranscriptCast}
				parts = append(parts, key+part.Name())
				if err := store.Create(t.Context(), parts[number-1], []byte(text)); err != nil {
					t.Fatal(err)
				}
				if err := store.Create(t.Context(), parts[number-1], []byte(text)); !store.Exists(err) {
					t.Fatalf("a part that is there already: %v", err)
				}
				printed.WriteString(text)
			}
			var all strings.Builder
			found, err := audit.ReadParts(t.Context(), store, key, &all)
			if err != nil || found.Count != 12 || all.String() != printed.String() {
				t.Fatalf("%d parts and %d bytes of %d, %v", found.Count, all.Len(), printed.Len(), err)
			}
			recorded.Session.Transcript = &v1alpha1.TranscriptStatus{Key: key, Parts: found.Count, Bytes: found.Bytes, SHA256: found.SHA256}
			anchor := &memory{}
			if _, err := auditstore.NewChain(store, private, anchor).Put(t.Context(), recorded, at); err != nil {
				t.Fatal(err)
			}
			tc.tamper(t, bucket, parts)
			if got := verify(t, store, anchor.head); got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

// shortly is not long enough for the SDK to try as often as it likes.
func shortly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// findsTampering: what somebody does to the objects by the store's API is found.
func findsTampering(t *testing.T, server *server) {
	t.Helper()
	for name, tc := range map[string]struct {
		tamper func(t *testing.T, bucket *blob.Bucket)
		want   string
	}{
		"nothing":             {func(*testing.T, *blob.Bucket) {}, "5 links"},
		"a record is changed": {func(t *testing.T, b *blob.Bucket) { change(t, b, record(2).Key()) }, "5 links, RecordChanged 3"},
		"a record is removed": {func(t *testing.T, b *blob.Bucket) { remove(t, b, record(2).Key()) }, "5 links, RecordRemoved 3"},
		"a record is added": {
			func(t *testing.T, b *blob.Bucket) { write(t, b, "records/2026-11-27/team-1/forged.json", "{}") },
			"5 links, RecordAdded 0",
		},
		"records are exchanged": {
			func(t *testing.T, b *blob.Bucket) { exchange(t, b, record(1).Key(), record(2).Key()) },
			"5 links, RecordChanged 2, RecordChanged 3",
		},
		"a link is changed": {func(t *testing.T, b *blob.Bucket) { change(t, b, audit.LinkKey(3)) }, "5 links, LinkChanged 4"},
		"a link and its record go": {
			func(t *testing.T, b *blob.Bucket) { remove(t, b, audit.LinkKey(3), record(2).Key()) },
			"4 links, LinkRemoved 3",
		},
		"links are exchanged": {
			func(t *testing.T, b *blob.Bucket) { exchange(t, b, audit.LinkKey(2), audit.LinkKey(3)) },
			"5 links, RecordAdded 0, RecordAdded 0, LinkChanged 2, LinkChanged 3, LinkChanged 4",
		},
		"the end is cut off": {
			func(t *testing.T, b *blob.Bucket) { remove(t, b, audit.LinkKey(5), record(4).Key()) },
			"4 links, CutOff 5",
		},
		"a link is forged after all": {
			func(t *testing.T, b *blob.Bucket) { write(t, b, audit.LinkKey(6), "{}") },
			"6 links, LinkChanged 6",
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, bucket := server.open(t, strings.ReplaceAll(name, " ", "-")+"/")
			anchor := &memory{}
			chain := auditstore.NewChain(store, private, anchor)
			for i := range 5 {
				put(t, chain, i)
			}
			tc.tamper(t, bucket)
			if got := verify(t, store, anchor.head); got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

func read(t *testing.T, bucket *blob.Bucket, key string) string {
	t.Helper()
	text, err := bucket.ReadAll(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, bucket *blob.Bucket, key, text string) {
	t.Helper()
	if err := bucket.WriteAll(t.Context(), key, []byte(text), nil); err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, bucket *blob.Bucket, key string) {
	t.Helper()
	write(t, bucket, key, read(t, bucket, key)+" ")
}

func exchange(t *testing.T, bucket *blob.Bucket, one, other string) {
	t.Helper()
	first, second := read(t, bucket, one), read(t, bucket, other)
	write(t, bucket, one, second)
	write(t, bucket, other, first)
}

func remove(t *testing.T, bucket *blob.Bucket, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := bucket.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}
