package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"sync"

	mobyterm "github.com/moby/term"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubectl/pkg/cmd/exec"
)

// Debugger is a container that one attaches to.
type Debugger struct {
	Config               *rest.Config
	Kubernetes           kubernetes.Interface
	Namespace, Pod, Name string
	Stdin, TTY           bool

	// Keys says that the keyboard goes to the debugger; without, its standard input ends after Before.
	Keys bool

	// Replay is to show first what the debugger has written before, such as its prompt. That takes access to its log.
	Replay bool

	// Before is sent to the debugger before anything else. What a lost connection did not take of it is left for the next one.
	Before io.Reader

	// DetachKeys end the attach and not the debugger, such as ctrl-p,ctrl-q.
	DetachKeys string
}

// Attach connects the terminal to the debugger until one of them goes. It reports whether the person detached by keys.
func (t *Terminal) Attach(ctx context.Context, d Debugger) (detached bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	streams := remotecommand.StreamOptions{Stdout: t.Out, Stderr: t.ErrOut, Tty: d.TTY}
	if d.Stdin {
		streams.Stdin = d.Before
		if d.Keys {
			streams.Stdin = io.MultiReader(streams.Stdin, t.Keyboard.Reader(ctx))
		}
	}
	if !d.TTY {
		return false, d.stream(ctx, streams)
	}
	streams.Stderr = nil
	keys, err := mobyterm.ToBytes(d.DetachKeys)
	if err != nil {
		return false, err
	}
	if d.Stdin && len(keys) > 0 {
		streams.Stdin = untilKeys(streams.Stdin, keys, func() { detached = true; cancel() })
	}
	if d.Replay {
		replay := &replayed{out: t.Out}
		streams.Stdout = replay
		go replay.run(func() []byte { return d.log(ctx) })
	}
	shown := &noticed{Writer: streams.Stdout}
	streams.Stdout = shown
	err = t.raw(cancel, func() error {
		if size := t.tty.GetSize(); size != nil {
			streams.TerminalSizeQueue = newSizes(ctx, t.tty.MonitorSize(larger(size), size), shown.Load)
		}
		return d.stream(ctx, streams)
	})
	return detached, err
}

// untilKeys reads what is typed, up to the keys that detach.
func untilKeys(from io.Reader, keys []byte, detach func()) io.Reader {
	proxy := mobyterm.NewEscapeProxy(from, keys)
	return readerFunc(func(p []byte) (int, error) {
		n, err := proxy.Read(p)
		if errors.Is(err, mobyterm.EscapeError{}) {
			detach()
			err = io.EOF
		}
		return n, err
	})
}

func (d Debugger) stream(ctx context.Context, streams remotecommand.StreamOptions) error {
	request := d.Kubernetes.CoreV1().RESTClient().Post().Resource("pods").Namespace(d.Namespace).Name(d.Pod).SubResource("attach").
		VersionedParams(&corev1.PodAttachOptions{
			Container: d.Name, Stdin: streams.Stdin != nil, Stdout: true, Stderr: streams.Stderr != nil, TTY: d.TTY,
		}, scheme.ParameterCodec)
	return onceGranted(ctx, func() error {
		return (&exec.DefaultRemoteExecutor{}).ExecuteWithContext(ctx, request.URL(), d.Config,
			streams.Stdin, streams.Stdout, streams.Stderr, streams.Tty, streams.TerminalSizeQueue)
	})
}

// screenful is how much of a log is shown again.
const screenful = 4 << 10

// log is the end of what the debugger has written so far; nothing if that cannot be read.
func (d Debugger) log(ctx context.Context) []byte {
	lines := int64(25)
	var text []byte
	err := onceGranted(ctx, func() (err error) {
		text, err = d.Kubernetes.CoreV1().Pods(d.Namespace).GetLogs(d.Pod, &corev1.PodLogOptions{Container: d.Name, TailLines: &lines}).DoRaw(ctx)
		return err
	})
	if err != nil {
		return nil
	}
	return text[max(0, len(text)-screenful):]
}

// replayed holds back what comes until it has shown what was before, and shows nothing twice.
type replayed struct {
	mu   sync.Mutex
	out  io.Writer
	held []byte
	done bool
}

func (r *replayed) run(before func() []byte) {
	past := before()
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.out.Write(onTerminal(controls.ReplaceAll(bytes.TrimSuffix(inLog(past), inLog(r.held)), nil)))
	_, _ = r.out.Write(r.held)
	r.done = true
}

func (r *replayed) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return r.out.Write(p)
	}
	r.held = append(r.held, p...)
	return len(p), nil
}

// controls are what a program told its terminal, other than colours. Told again, it would move the cursor to where it was then, and
// have the terminal answer what was asked long ago, as if it were typed.
var controls = regexp.MustCompile(`\x1b(\[[0-?]*[\x20-\x2f]*[@A-Z\[\\\]^_\x60a-ln-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[\x20-\x2f]*[0-Z^_\x60a-z{|}~])`)

// A log keeps the ends of lines as a file has them, which a terminal in raw mode does not understand.
func inLog(text []byte) []byte      { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
func onTerminal(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }
