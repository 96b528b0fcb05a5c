// Package podexec runs a command in a container, as kubectl exec does, and returns when the command has ended.
package podexec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
)

// timeout bounds one command. What the operator runs takes well under a second; a node that hangs must not hold a worker.
const timeout = 15 * time.Second

// most is how many bytes are kept of what a command says: what it runs may be the container's own, which says what it likes.
const most = 1 << 10

// mostHeard is how many bytes a command may write to its standard error before it is given up: it may have hours for it.
const mostHeard = 1 << 30

var errTalks = errors.New("the command writes to its standard error without end")

// Executor runs commands through the API server's pods/exec.
type Executor struct {
	config *rest.Config
	client kubernetes.Interface
}

// New returns an Executor that acts with the identity of config.
func New(config *rest.Config, client kubernetes.Interface) *Executor {
	return &Executor{config: config, client: client}
}

// Exec runs the command in the container and waits for its end. Its standard input is an empty line a second. The error holds
// the beginning of what the command wrote to its standard error, and is an exec.CodeExitError if the command ended with another
// code than 0, and context.DeadlineExceeded if it did not end in time.
func (e *Executor) Exec(ctx context.Context, pod types.NamespacedName, container string, command []string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	seconds := &ticks{ctx, time.NewTicker(time.Second)}
	defer seconds.Stop()
	return e.stream(ctx, pod, container, command, seconds, io.Discard)
}

// Stream is Exec for a command that takes its time, with somewhere for what it writes to its standard output: the context bounds both. Its standard
// input is open until its end, and nothing comes there.
func (e *Executor) Stream(ctx context.Context, pod types.NamespacedName, container string, command []string, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return e.stream(ctx, pod, container, command, silence{ctx}, stdout)
}

func (e *Executor) stream(ctx context.Context, pod types.NamespacedName, container string, command []string, stdin io.Reader, stdout io.Writer) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	executor, err := e.executor(pod, container, command)
	if err != nil {
		return err
	}
	stderr := &words{tooMuch: func() { giveUp(errTalks) }}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: stderr})
	if errors.Is(context.Cause(ctx), errTalks) {
		return errTalks
	}
	if errors.Is(err, os.ErrDeadlineExceeded) { // the connection has the context's deadline, and may see it first
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	if said := stderr.String(); err != nil && said != "" {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(said))
	}
	return err
}

// words keeps the beginning of what is written to it. A command that was given up may write to it still.
type words struct {
	tooMuch func() // called when it was told more than it should listen to

	mu    sync.Mutex
	kept  []byte
	heard int
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, p[:min(len(p), most-len(w.kept))]...)
	if w.heard += len(p); w.heard > mostHeard {
		w.tooMuch()
	}
	return len(p), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.kept)
}

// executor speaks WebSocket, and SPDY to an API server that cannot.
func (e *Executor) executor(pod types.NamespacedName, container string, command []string) (remotecommand.Executor, error) {
	url := e.client.CoreV1().RESTClient().Get().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).
		SubResource("exec").VersionedParams(&corev1.PodExecOptions{
		Container: container, Command: command, Stdin: true, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec).URL()
	websocket, err := remotecommand.NewWebSocketExecutor(e.config, "GET", url.String())
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(e.config, "POST", url)
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(websocket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}

// silence reads as nothing, until nobody listens any more.
type silence struct{ ctx context.Context }

func (s silence) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, io.EOF
}

// ticks reads as an empty line each second, until nobody listens any more.
type ticks struct {
	ctx context.Context
	*time.Ticker
}

func (t *ticks) Read(p []byte) (int, error) {
	select {
	case <-t.ctx.Done():
		return 0, io.EOF
	case <-t.C:
		return copy(p, "\n"), nil
	}
}
