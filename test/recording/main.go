// Recording plays kubectl dbg in a real terminal: it draws what is to be seen, or measures how soon one has a prompt. test/recording/run.sh
// brings what it plays with.
//
//	go run ./test/recording -svg docs/kubectl-dbg.svg
//	go run ./test/recording -measure 5
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
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
	within = 30 * time.Second

	// quiet is how long a pod is left alone.
	quiet = 3 * time.Second
)

var errNotSeen = errors.New("not seen")

func main() {
	picture := flag.String("svg", "", "draw it into this file")
	times := flag.Int("measure", 0, "measure this often, and print a table")
	flag.Parse()
	var err error
	if *picture != "" {
		err = record(*picture)
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
	events  []event
	began   time.Time
}

// event is what was written, and when.
type event struct {
	at   time.Duration
	text string
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
		t.events = append(t.events, event{time.Since(t.began), string(chunk[:n])})
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
	_ = t.pty.Close()
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
	shell.mu.Lock()
	defer shell.mu.Unlock()
	return writeSVG(path, shell.events)
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

// measure takes the ways in turn, so that whatever else the machine does is the same for all of them. Before each, the pod is left alone for a
// while: a kubelet that has just worked on a pod, as when the debugger before has exited, waits up to a second until it does so again.
func measure(times int) error {
	ways, err := ways()
	if err != nil {
		return err
	}
	took := make([][]float64, len(ways))
	nowhere := make([]bool, len(ways))
	for range times {
		for i, way := range ways {
			if nowhere[i] {
				continue
			}
			time.Sleep(quiet + rand.N(time.Second))
			seconds, err := way.time()
			if nowhere[i] = errors.Is(err, errNotSeen); nowhere[i] {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", way.command, err)
			}
			took[i] = append(took[i], seconds)
		}
	}
	fmt.Println("| | commands | characters typed | seconds to the prompt, median (worst) |\n|---|---|---|---|")
	for i, way := range ways {
		fmt.Println(way.row(took[i], nowhere[i]))
	}
	return nil
}

// row is a way's row of the table.
func (w way) row(took []float64, nowhere bool) string {
	commands, typed := 1, len(w.command)
	if w.before != "" {
		commands, typed = 2, typed+len(w.before)
	}
	result := fmt.Sprintf("none within %.0f", within.Seconds())
	if !nowhere {
		slices.Sort(took)
		result = fmt.Sprintf("%.2f (%.2f)", took[len(took)/2], took[len(took)-1])
	}
	return fmt.Sprintf("| %s: %#q | %d | %d | %s |", w.what, w.command, commands, typed, result)
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
	_ = t.cmd.Wait() // until nothing of it is left that takes time from the next
	return took, nil
}
