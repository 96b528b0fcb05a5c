// Recording plays kubectl dbg in a real terminal: it writes an asciicast, or measures how soon one has a prompt. test/recording/run.sh
// brings what it plays with.
//
//	go run ./test/recording -cast docs/kubectl-dbg.cast
//	go run ./test/recording -measure 5
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
)

const (
	columns, rows = 80, 24

	// within is how long anything may take.
	within = 60 * time.Second
)

var errNotSeen = errors.New("not seen")

func main() {
	cast := flag.String("cast", "", "write an asciicast v2 to this file")
	times := flag.Int("measure", 0, "measure this often, and print a table")
	flag.Parse()
	var err error
	if *cast != "" {
		err = record(*cast)
	}
	if err == nil && *times > 0 {
		err = measure(*times)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

// terminal is a program in a terminal, with all that it has written.
type terminal struct {
	pty     *os.File
	cmd     *exec.Cmd
	mu      sync.Mutex
	written strings.Builder
	read    int
	changed chan struct{}
	events  [][3]any
	began   time.Time
}

func start(name string, args ...string) (*terminal, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "PS1=$ ")
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: columns, Rows: rows})
	if err != nil {
		return nil, err
	}
	t := &terminal{pty: file, cmd: cmd, changed: make(chan struct{}, 1), began: time.Now()}
	go t.follow()
	return t, nil
}

func (t *terminal) follow() {
	for chunk := make([]byte, 32<<10); ; {
		n, err := t.pty.Read(chunk)
		if err != nil {
			return
		}
		t.mu.Lock()
		t.written.Write(chunk[:n])
		t.events = append(t.events, [3]any{time.Since(t.began).Seconds(), "o", string(chunk[:n])})
		t.mu.Unlock()
		select {
		case t.changed <- struct{}{}:
		default:
		}
	}
}

// await waits for a text that comes after what was waited for before. It presses Enter every now and then if nudge says so, as people
// do who see no prompt.
func (t *terminal) await(text string, nudge bool) error {
	deadline, again := time.After(within), time.NewTicker(300*time.Millisecond)
	defer again.Stop()
	for {
		t.mu.Lock()
		all := t.written.String()
		i := strings.Index(all[t.read:], text)
		if i >= 0 {
			t.read += i + len(text)
		}
		t.mu.Unlock()
		if i >= 0 {
			return nil
		}
		select {
		case <-t.changed:
		case <-again.C:
			if nudge && strings.Contains(all, "try pressing enter") {
				_, _ = io.WriteString(t.pty, "\r")
			}
		case <-deadline:
			return fmt.Errorf("%w: no %q within %s in:\n%s", errNotSeen, text, within, all)
		}
	}
}

// types types as people do.
func (t *terminal) types(text string) {
	for _, key := range text {
		_, _ = io.WriteString(t.pty, string(key))
		time.Sleep(45 * time.Millisecond)
	}
	time.Sleep(400 * time.Millisecond)
	_, _ = io.WriteString(t.pty, "\r")
}

func (t *terminal) close() {
	_ = t.cmd.Process.Kill()
	_ = t.cmd.Wait()
	t.pty.Close()
}

// played is what is typed, and what is waited for after it.
var played = []struct{ keys, then string }{
	{"kubectl dbg deploy/checkout", "/ # "},
	{"ps", "/ # "},
	{"cat $TARGET_ROOT/etc/app-config.txt", "/ # "},
	{"exit", "$ "},
	{"kubectl dbg deploy/checkout -- wget -qO- localhost:8080 ; echo \"exit code $?\"", "exit code"},
	{"kubectl dbg list --mine", "$ "},
}

func record(path string) error {
	shell, err := start("bash", "--norc", "--noprofile")
	if err != nil {
		return err
	}
	defer shell.close()
	if err := shell.await("$ ", false); err != nil {
		return err
	}
	for _, scene := range played {
		shell.types(scene.keys)
		if err := shell.await(scene.keys[max(0, len(scene.keys)-8):], false); err != nil { // its own echo
			return err
		}
		if err := shell.await(scene.then, false); err != nil {
			return err
		}
		time.Sleep(1200 * time.Millisecond)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	encoder := json.NewEncoder(file)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]any{"version": 2, "width": columns, "height": rows, "title": "kubectl dbg", "idle_time_limit": 2})
	shell.mu.Lock()
	defer shell.mu.Unlock()
	for _, event := range shell.events {
		if err := encoder.Encode(event); err != nil {
			return err
		}
	}
	return nil
}

// ways are ways to a prompt. The pod's name has to be found first, which is a command too, where a way needs it.
func ways() ([]way, error) {
	pod, err := exec.Command("kubectl", "get", "pods", "-l", "app=checkout", "-o", "jsonpath={.items[0].metadata.name}").Output()
	if err != nil {
		return nil, fmt.Errorf("finding the pod: %w", err)
	}
	return []way{
		{"a shell beside the application", "kubectl get pods", "kubectl debug -it " + string(pod) + " --image=busybox:1.36 --target=app -- sh"},
		{"a shell beside the application", "", "kubectl dbg deploy/checkout"},
		{"a shell beside what crashes", "", "kubectl debug -it crash --image=busybox:1.36 --target=app -- sh"},
		{"a shell beside what crashes", "", "kubectl dbg crash --copy"},
	}, nil
}

type way struct{ what, before, command string }

func measure(times int) error {
	ways, err := ways()
	if err != nil {
		return err
	}
	fmt.Println("| | commands | characters typed | seconds to the prompt, median (worst; 60: none came) |\n|---|---|---|---|")
	for _, way := range ways {
		took := make([]float64, 0, times)
		for range times {
			seconds, err := way.time()
			if errors.Is(err, errNotSeen) { // which is an answer too: within is the least that it takes
				seconds = within.Seconds()
			} else if err != nil {
				return fmt.Errorf("%s: %w", way.command, err)
			}
			took = append(took, seconds)
		}
		slices.Sort(took)
		commands, typed := 1, len(way.command)
		if way.before != "" {
			commands, typed = 2, typed+len(way.before)
		}
		fmt.Printf("| %s: `%s` | %d | %d | %.1f (%.1f) |\n", way.what, way.command, commands, typed, took[len(took)/2], took[len(took)-1])
	}
	return nil
}

func (w way) time() (float64, error) {
	words := strings.Fields(w.command)
	began := time.Now()
	t, err := start(words[0], words[1:]...)
	if err != nil {
		return 0, err
	}
	defer t.close()
	if err := t.await("/ # ", true); err != nil {
		return 0, err
	}
	took := time.Since(began).Seconds()
	_, _ = io.WriteString(t.pty, "exit\r")
	time.Sleep(time.Second) // for what is left of it to go
	return took, nil
}
