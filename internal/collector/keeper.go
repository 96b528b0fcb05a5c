package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/exec"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plaintext"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/retry"
)

const (
	// collectTimeout is how long all files of a session may take: less than their container is held.
	collectTimeout = plan.HoldTimeout - 30*time.Second

	// tries is how often a file is read whose reading was cut short.
	tries = 3

	// lasting is after how long a command that waits has worked, so that the next pause is short again.
	lasting = time.Minute
)

// keeper collects the files of one session.
type keeper struct {
	c         *Collector
	session   *v1alpha1.DebugSession // as it was when it was seen to run
	pod       types.NamespacedName
	container string
	stop      context.CancelFunc
	left      int64 // of what may be stored

	settled    chan struct{} // closed when it is written down what became of the files
	settleOnce sync.Once

	mu    sync.Mutex
	state plan.ArtifactsState
}

func newKeeper(c *Collector, session *v1alpha1.DebugSession, stop context.CancelFunc) *keeper {
	debugger := session.Status.Debugger
	k := &keeper{
		c: c, session: session.DeepCopy(), stop: stop, settled: make(chan struct{}),
		pod: types.NamespacedName{Namespace: session.Namespace, Name: debugger.PodName}, container: debugger.ContainerName,
	}
	if most := session.Status.Class.MaxArtifactSize; most != nil {
		k.left = most.Value()
	}
	return k
}

func (k *keeper) settle() { k.settleOnce.Do(func() { close(k.settled) }) }

func (k *keeper) known() plan.ArtifactsState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return plan.ArtifactsState{Done: k.state.Done, Rows: slices.Clone(k.state.Rows)}
}

func (k *keeper) update(change func(*plan.ArtifactsState)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.state)
}

// run waits for the end of the debugger's command, collects its files, and lets its container go when that is written down. A session
// of which it is written down already only has its container let go.
func (k *keeper) run(ctx context.Context) {
	defer k.stop()
	select {
	case <-k.settled:
	default:
		if !k.await(ctx) {
			return
		}
		k.collect(ctx)
		if ctx.Err() != nil {
			return
		}
		k.update(func(s *plan.ArtifactsState) { s.Done = true })
		k.c.Enqueue(client.ObjectKeyFromObject(k.session))
	}
	select {
	case <-ctx.Done():
	case <-k.settled:
		k.letGo(ctx)
	}
}

// await returns when the debugger's command has ended, and reports whether it has: or nobody wants to know any more.
func (k *keeper) await(ctx context.Context) bool {
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := k.stream(ctx, debugpod.AwaitFiles(), nothing{})
		var exit exec.CodeExitError
		if err == nil || errors.As(err, &exit) && exit.Code == debugpod.ExitAwoken {
			return ctx.Err() == nil
		}
		if time.Since(began) > lasting {
			failures = 0
		}
		retry.Wait(ctx, failures)
	}
	return false
}

// collect settles one file after another. Those that are not when its session ends are its session's to tell of.
func (k *keeper) collect(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, collectTimeout)
	defer cancel()
	for i, path := range k.session.Spec.Debugger.Artifacts {
		row := k.keep(within, i)
		if ctx.Err() != nil && row.State != v1alpha1.ArtifactKept {
			return
		}
		row.Path = path
		k.update(func(s *plan.ArtifactsState) { s.Rows = append(s.Rows, row) })
	}
}

// keep stores one file, and says what became of it.
func (k *keeper) keep(ctx context.Context, index int) v1alpha1.ArtifactStatus {
	select {
	case k.c.free <- struct{}{}:
		defer func() { <-k.c.free }()
	case <-ctx.Done():
		return lost("its time was over before it was read")
	}
	stored := int64(0)
	defer func() { k.left -= stored }()
	for try := 1; ; try++ {
		file := newFile(ctx, k.c.Store, audit.ArtifactKey(k.session, index), k.left)
		err := k.stream(ctx, debugpod.ReadFile(k.session.Spec.Debugger.Artifacts[index], k.left), file)
		if err == nil {
			err = file.finish()
		}
		stored = max(stored, file.stored())
		if row, settled := k.judge(ctx, file, err); settled || try == tries {
			return row
		}
		retry.Wait(ctx, try-1)
	}
}

// judge says what became of a file that was read to such an end, and whether there is no point in another try.
func (k *keeper) judge(ctx context.Context, file *file, err error) (row v1alpha1.ArtifactStatus, settled bool) {
	var exit exec.CodeExitError
	var unstored *storeError
	switch {
	case err == nil:
		return file.row(), true
	case errors.Is(err, errTooLarge), errors.As(err, &exit) && exit.Code == debugpod.ExitFileTooLarge:
		most := k.session.Status.Class.MaxArtifactSize
		return v1alpha1.ArtifactStatus{State: v1alpha1.ArtifactTooLarge,
			Message: fmt.Sprintf("it is larger than the %d bytes that were left of the class's artifacts.maxSize, %s", k.left, most)}, true
	case errors.As(err, &unstored):
		return lost("it could not be stored: " + err.Error()), errors.Is(err, errChanged)
	case ctx.Err() != nil:
		return lost("its time was over before it was read and stored"), true
	case errors.As(err, &exit):
		return refused(exit.Code), true
	default:
		return lost("the connection to its container was lost: " + err.Error()), false
	}
}

// refused is what became of a file that the script did not write whole.
func refused(code int) v1alpha1.ArtifactStatus {
	not := func(state v1alpha1.ArtifactState, message string) v1alpha1.ArtifactStatus {
		return v1alpha1.ArtifactStatus{State: state, Message: message}
	}
	switch code {
	case debugpod.ExitFileMissing:
		return not(v1alpha1.ArtifactMissing, "there was no such file when the command had ended")
	case debugpod.ExitFileNotRegular:
		return not(v1alpha1.ArtifactNotRegular, "it is not a regular file of the debugger's own container")
	case debugpod.ExitFileLinked:
		return not(v1alpha1.ArtifactNotRegular, "it, or a folder in its path, is a symbolic link")
	case debugpod.ExitFileForbidden:
		return not(v1alpha1.ArtifactUnreadable, "the debugger's user may not read it")
	case debugpod.ExitFileNotHeld:
		return lost("its container was no longer held for its files when it was to be read")
	case debugpod.ExitFileUnknown:
		return not(v1alpha1.ArtifactUnreadable, "the container runtime does not tell which container's file it is (/proc/self/fdinfo)")
	default:
		return not(v1alpha1.ArtifactUnreadable, fmt.Sprintf("reading it failed with exit code %d", code))
	}
}

func lost(why string) v1alpha1.ArtifactStatus {
	return v1alpha1.ArtifactStatus{State: v1alpha1.ArtifactLost, Message: plaintext.Line(why)}
}

// letGo has the container end. One that has ended, or whose session does, needs nobody for that.
func (k *keeper) letGo(ctx context.Context) {
	for try := range tries {
		err := k.c.Exec.Exec(ctx, k.pod, k.container, debugpod.LetGo())
		if err == nil || ctx.Err() != nil {
			return
		}
		retry.Wait(ctx, try)
	}
}

// stream runs a command in the debugger's container, and gives it up when what it writes is not taken. Nothing is written any more when it
// returns: a command that was given up may go on.
func (k *keeper) stream(ctx context.Context, command []string, to io.Writer) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	taker := &taker{to: to, giveUp: giveUp}
	err := k.c.Exec.Stream(ctx, k.pod, k.container, command, taker)
	if refused := taker.close(); refused != nil {
		return refused
	}
	return err
}

// taker hands on what a command writes, until that is refused or nobody listens any more.
type taker struct {
	to     io.Writer
	giveUp context.CancelCauseFunc

	mu      sync.Mutex
	refused error
	closed  bool
}

func (t *taker) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return 0, io.ErrClosedPipe
	case t.refused != nil:
		return 0, t.refused
	}
	n, err := t.to.Write(p)
	if err != nil {
		t.refused = err
		t.giveUp(err)
	}
	return n, err
}

func (t *taker) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return t.refused
}

// nothing takes nothing: of a command that has nothing to say.
type nothing struct{}

var errTalks = errors.New("the command writes what it should not")

func (nothing) Write([]byte) (int, error) { return 0, errTalks }
