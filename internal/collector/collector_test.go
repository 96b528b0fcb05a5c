package collector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"gocloud.dev/blob/memblob"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/exec"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
)

// container is what a debugger's container does when the operator runs something in it.
type container struct {
	mu    sync.Mutex
	read  func(ctx context.Context, try int, out io.Writer) error
	reads int
	freed int
}

func (c *container) Stream(ctx context.Context, _ types.NamespacedName, _ string, command []string, out io.Writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if command[2] == debugpod.AwaitFiles()[2] {
		return exec.CodeExitError{Err: errors.New("command terminated"), Code: debugpod.ExitAwoken}
	}
	c.reads++
	return c.read(ctx, c.reads, out)
}

func (c *container) Exec(context.Context, types.NamespacedName, string, []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freed++
	return nil
}

func session(paths ...string) *v1alpha1.DebugSession {
	s := fixture.Session()
	s.Namespace, s.Name, s.UID = "shop", "dump", "1"
	s.Spec.Debugger.Artifacts = paths
	s.Status = v1alpha1.DebugSessionStatus{
		Phase: v1alpha1.PhaseActive, StartedAt: new(metav1.NewTime(fixture.Created)),
		Class:    &v1alpha1.ClassStatus{MaxArtifactSize: new(resource.MustParse("3Mi"))},
		Debugger: &v1alpha1.DebuggerStatus{PodName: "web", ContainerName: "debugger", State: v1alpha1.DebuggerRunning},
	}
	return s
}

// collect has the files of a session collected, and returns what became of the first, and the store.
func collect(t *testing.T, c *container, s *v1alpha1.DebugSession) (v1alpha1.ArtifactStatus, *auditstore.Store) {
	t.Helper()
	return collectInto(t, c, s, auditstore.New(memblob.OpenBucket(nil), "memory"))
}

func collectInto(t *testing.T, c *container, s *v1alpha1.DebugSession, store *auditstore.Store) (row v1alpha1.ArtifactStatus, _ *auditstore.Store) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		asked := make(chan struct{}, 1)
		all := &Collector{Store: store, Exec: c, Enqueue: func(types.NamespacedName) { asked <- struct{}{} }}
		all.begin(ctx)
		if state := all.State(s); state.Done {
			t.Error("done before it began")
		}
		<-asked
		state := all.State(s)
		if !state.Done || len(state.Rows) != len(s.Spec.Debugger.Artifacts) {
			t.Fatalf("%+v", state)
		}
		if c.freed != 0 {
			t.Error("it was let go before it was written down what became of its files")
		}
		row = state.Rows[0]
		settled := s.DeepCopy()
		settled.Status.Artifacts = state.Rows
		all.State(settled)
		synctest.Wait()
		if c.freed == 0 {
			t.Error("it was not let go")
		}
		settled.Status.Phase = v1alpha1.PhaseEnded
		all.State(settled)
		if len(all.keepers) != 0 {
			t.Error("it is not forgotten")
		}
		stop()
		all.working.Wait()
	})
	return row, store
}

func writes(text []byte) func(context.Context, int, io.Writer) error {
	return func(_ context.Context, _ int, out io.Writer) error {
		_, err := io.Copy(out, bytes.NewReader(text))
		return err
	}
}

// A file is kept whole, in parts, and is what it was; also an empty one, and one that has just the size that it may have.
func TestFileIsKept(t *testing.T) {
	for _, size := range []int{0, 1, partBytes, 2*partBytes + 7, 3 << 20} {
		text := bytes.Repeat([]byte{7}, size)
		row, store := collect(t, &container{read: writes(text)}, session("/tmp/a"))
		var got bytes.Buffer
		if row.State != v1alpha1.ArtifactKept || row.Bytes != int64(size) {
			t.Fatalf("%d bytes: %+v", size, row)
		}
		if err := audit.ReadArtifact(t.Context(), store, &row, &got); err != nil || !bytes.Equal(got.Bytes(), text) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if !strings.HasPrefix(row.Key, "artifacts/") || strings.Contains(row.Key, "tmp") {
			t.Errorf("its key is %s", row.Key)
		}
	}
}

// One without end is given up when it is larger than it may be, and what was stored of it counts for the next.
func TestFileWithoutEnd(t *testing.T) {
	c := &container{read: func(_ context.Context, _ int, out io.Writer) error {
		for {
			if _, err := out.Write(make([]byte, 32<<10)); err != nil {
				return err
			}
		}
	}}
	row, store := collect(t, c, session("/tmp/a", "/tmp/b"))
	if row.State != v1alpha1.ArtifactTooLarge || !strings.Contains(row.Message, "3Mi") {
		t.Errorf("%+v", row)
	}
	keys, err := store.Keys(t.Context(), audit.ArtifactPrefix)
	if err != nil || len(keys) > 3 {
		t.Errorf("%d parts are stored of at most 3 MiB, %v", len(keys), err)
	}
}

// One that says that it is larger than it may be is not read, and leaves nothing; nor does one of a container that is another by now.
func TestFileThatIsNotRead(t *testing.T) {
	for code, want := range map[int]v1alpha1.ArtifactState{debugpod.ExitFileTooLarge: v1alpha1.ArtifactTooLarge, debugpod.ExitFileNotHeld: v1alpha1.ArtifactLost} {
		c := &container{read: func(context.Context, int, io.Writer) error {
			return exec.CodeExitError{Err: errors.New("command terminated"), Code: code}
		}}
		row, store := collect(t, c, session("/tmp/a"))
		if row.State != want || c.reads != 1 {
			t.Errorf("%d: %+v after %d", code, row, c.reads)
		}
		if keys, err := store.Keys(t.Context(), audit.ArtifactPrefix); err != nil || len(keys) > 0 {
			t.Errorf("%d: the store has %v, %v", code, keys, err)
		}
	}
}

// A reading that hangs is given up in time, before the container is.
func TestFileThatHangs(t *testing.T) {
	c := &container{read: func(ctx context.Context, _ int, _ io.Writer) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	if row, _ := collect(t, c, session("/tmp/a", "/tmp/b")); row.State != v1alpha1.ArtifactLost || !strings.Contains(row.Message, "time was over") {
		t.Errorf("%+v", row)
	}
}

// A connection that breaks is tried again, and what is stored already is not stored twice.
func TestReadingIsTriedAgain(t *testing.T) {
	text := bytes.Repeat([]byte{7}, partBytes+9)
	broken := func(_ context.Context, try int, out io.Writer) error {
		if try == 1 {
			_, _ = out.Write(text[:partBytes+3])
			return errors.New("connection reset by peer")
		}
		_, err := out.Write(text)
		return err
	}
	if row, _ := collect(t, &container{read: broken}, session("/tmp/a")); row.State != v1alpha1.ArtifactKept || row.Parts != 2 {
		t.Errorf("%+v", row)
	}
	always := func(context.Context, int, io.Writer) error { return errors.New("connection reset \x1b by peer") }
	c := &container{read: always}
	if row, _ := collect(t, c, session("/tmp/a")); row.State != v1alpha1.ArtifactLost || c.reads != tries || strings.Contains(row.Message, "\x1b") {
		t.Errorf("%+v after %d", row, c.reads)
	}
}

// What is in the store of an operator before this one is taken if it is the same, and else nothing is: also if it only goes on.
func TestFileThatIsThereAlready(t *testing.T) {
	s := session("/tmp/a")
	text := bytes.Repeat([]byte{7}, partBytes+9)
	for name, tc := range map[string]struct {
		there map[int32]string
		want  v1alpha1.ArtifactState
	}{
		"the same": {map[int32]string{1: string(text[:partBytes])}, v1alpha1.ArtifactKept},
		"another":  {map[int32]string{1: "other"}, v1alpha1.ArtifactLost},
		"longer":   {map[int32]string{1: string(text[:partBytes]), 2: string(text[partBytes:]), 3: "x"}, v1alpha1.ArtifactLost},
	} {
		store := auditstore.New(memblob.OpenBucket(nil), "memory")
		for number, part := range tc.there {
			if err := store.Create(t.Context(), audit.ArtifactPart(audit.ArtifactKey(s, 0), number), []byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if row, _ := collectInto(t, &container{read: writes(text)}, s, store); row.State != tc.want {
			t.Errorf("%s: %+v", name, row)
		}
	}
}
