package terminal

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

func TestReplay(t *testing.T) {
	for name, test := range map[string]struct{ log, came, want string }{
		"what was before":             {"hello\n/ # ", "", "hello\r\n/ # "},
		"what came meanwhile":         {"hello\n/ # ", "ls\r\n", "hello\r\n/ # ls\r\n"},
		"what came and is in the log": {"hello\n/ # ", "hello\r\n/ # ", "hello\r\n/ # "},
		"colours alone":               {"\033[1;32mgreen\033[0m\033[6n\033[2J\033]0;title\007\0337/ # ", "", "\033[1;32mgreen\033[0m/ # "},
		"no log to read":              {"", "/ # ", "/ # "},
	} {
		var out bytes.Buffer
		r := &replayed{out: &out}
		_, _ = r.Write([]byte(test.came))
		r.run(func() []byte { return []byte(test.log) })
		_, _ = r.Write([]byte("!"))
		if got := out.String(); got != test.want+"!" {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestKeyboardLosesNoKey(t *testing.T) {
	source, typed := io.Pipe()
	keyboard := NewKeyboard(source)
	first, cancel := context.WithCancel(t.Context())
	reads := make(chan string)
	go func() {
		text, _ := io.ReadAll(keyboard.Reader(first))
		reads <- string(text)
	}()
	_, _ = typed.Write([]byte("one"))
	cancel()
	before := <-reads
	go func() {
		_, _ = typed.Write([]byte("two"))
		typed.Close()
	}()
	after, _ := io.ReadAll(keyboard.Reader(t.Context()))
	if before+string(after) != "onetwo" || !strings.HasSuffix(string(after), "two") {
		t.Errorf("%q and %q", before, after)
	}
}

func TestLine(t *testing.T) {
	var out bytes.Buffer
	plain := &Line{out: &out, width: func() int { return 0 }}
	plain.Show("waits", ", 1s")
	plain.Show("waits", ", 2s")
	plain.Show("starts", ", 3s")
	plain.Clear()
	if got := out.String(); got != "waits\nstarts\n" {
		t.Errorf("%q", got)
	}
	out.Reset()
	narrow := &Line{out: &out, width: func() int { return 20 }}
	narrow.Show("waits for an approval\033[31m", ", 59m left")
	if got := out.String(); got != "\r\033[Kwaits fo…, 59m left" {
		t.Errorf("%q", got)
	}
}
