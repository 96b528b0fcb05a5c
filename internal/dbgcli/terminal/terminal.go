// Package terminal is the person's side of a session: keys, the screen, and the stream between them and a debugger.
package terminal

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/util/interrupt"
	"k8s.io/kubectl/pkg/util/term"
)

// Terminal is where a person, or a program, sits.
type Terminal struct {
	genericiooptions.IOStreams
	Keyboard *Keyboard
	Progress *Line
	tty      term.TTY
	logged   int64 // how much of a log was shown
}

// New makes a terminal of a process's streams. Quiet leaves out all but what the debugger writes.
func New(streams genericiooptions.IOStreams, quiet bool) *Terminal {
	t := &Terminal{IOStreams: streams, Keyboard: NewKeyboard(streams.In), tty: term.TTY{In: streams.In, Out: streams.Out}}
	t.Progress = &Line{out: streams.ErrOut, width: t.columns, quiet: quiet}
	return t
}

// Interactive reports whether a person types at one end and looks at the other.
func (t *Terminal) Interactive() bool { return t.tty.IsTerminalIn() && t.tty.IsTerminalOut() }

// TypedInto reports whether keys come from a terminal.
func (t *Terminal) TypedInto() bool { return t.tty.IsTerminalIn() }

// columns is how wide the terminal is that progress is shown on; 0 if it is none.
func (t *Terminal) columns() int { return Columns(t.ErrOut) }

// Columns is how wide the terminal is that is written to; 0 if it is none.
func Columns(out io.Writer) int {
	if !term.IsTerminal(out) {
		return 0
	}
	size := term.TTY{Out: out}.GetSize()
	if size == nil || size.Width == 0 {
		return 80
	}
	return int(size.Width)
}

// Ask asks a question with one of some answers, each known by its first letter; the first is what an empty line means.
func (t *Terminal) Ask(ctx context.Context, question string, answers ...string) (string, error) {
	t.Progress.Clear()
	keys := t.Keyboard.Reader(ctx)
	for {
		fmt.Fprint(t.ErrOut, question+" ")
		line, err := readLine(keys)
		line = strings.ToLower(strings.TrimSpace(line))
		if line == "" && err == nil {
			return answers[0], nil
		}
		for _, answer := range answers {
			if line != "" && strings.HasPrefix(answer, line) {
				return answer, nil
			}
		}
		if err != nil {
			fmt.Fprintln(t.ErrOut)
			return "", err
		}
	}
}

func readLine(r io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := r.Read(one)
		if n == 1 && (one[0] == '\n' || one[0] == '\r') {
			return string(line), nil
		}
		line = append(line, one[:n]...)
		if err != nil {
			return string(line), err
		}
	}
}

// raw runs something with a terminal that passes every key on; a signal that ends the process meanwhile calls stop instead.
func (t *Terminal) raw(stop func(), run func() error) error {
	tty := t.tty
	tty.Raw = true
	tty.Parent = interrupt.New(func(os.Signal) { stop() })
	return tty.Safe(run)
}
