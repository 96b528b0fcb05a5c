//go:build linux

package deadline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/internal/debugpod"
)

// ordinaryUser is who runs a debugger that is not root, and one of the target's processes.
const (
	ordinaryUser = 54321
	crampedUser  = 54322
)

// starvedUsers and tightUsers are one for each shell, for a user's processes are counted wherever they are.
var (
	starvedUsers = map[string]int{"dash": 54323, "bash": 54324, "busybox": 54325}
	tightUsers   = map[string]int{"dash": 54326, "bash": 54327, "busybox": 54328}
)

// processLimits are how many processes the debuggers of some users may have.
var processLimits = map[int]uint64{crampedUser: 250, 54323: 10, 54324: 10, 54325: 10, 54326: 10, 54327: 10, 54328: 10}

// How long anything may take that should take a moment; the machine may be busy.
const patience = 20 * time.Second

// debugger is what a test asks for.
type debugger struct {
	shell   string
	target  *target // whose process namespace is joined; nil: one of its own
	user    int
	tty     bool
	path    string // instead of the shell's own
	command []string
	left    time.Duration // until its deadline; zero: an hour
	longest time.Duration // until the hard deadline; zero: it is the same
	late    bool          // it is started when it may not start any more

	warnings []time.Duration
	hold     time.Duration // for which it stays for its files; zero: it does not
	idle     time.Duration // after which it ends if nobody uses it; zero: it does not
}

// container is a running debugger, as a container runtime would have started it.
type container struct {
	t        *testing.T
	cmd      *exec.Cmd
	shell    string
	target   *target
	user     int
	mounts   string // its mount namespace
	lastLog  string // its termination message's file
	terminal *os.File
	stdin    io.WriteCloser
	output   transcript
	exited   chan struct{}
	err      error
}

// start starts the wrapped debugger and has it killed when the test ends.
func start(t *testing.T, asked debugger) *container {
	t.Helper()
	left := asked.left
	if left == 0 {
		left = time.Hour
	}
	now := time.Now()
	deadlines := debugpod.Deadlines{
		StartBy: now.Add(time.Hour), End: now.Add(left), Hard: now.Add(max(left, asked.longest)),
		Warnings: asked.warnings, Idle: asked.idle, Hold: asked.hold, Session: types.NamespacedName{Namespace: "shop", Name: "checkout-hang"},
	}
	if asked.late {
		deadlines.StartBy = now.Add(-time.Second)
	}
	wrapped, err := debugpod.Wrap(asked.command, nil, deadlines)
	if err != nil {
		t.Fatal(err)
	}
	for i, word := range wrapped[:len(wrapped)-len(asked.command)] {
		wrapped[i] = strings.ReplaceAll(word, "$$", "$") // as the kubelet does
	}
	path := asked.path
	if path == "" {
		path = shells[asked.shell]
	}
	c := &container{t: t, shell: asked.shell, target: asked.target, user: asked.user, exited: make(chan struct{})}
	c.lastLog = filepath.Join(t.TempDir(), "termination-log")
	c.cmd = exec.Command("/proc/self/exe", wrapped...)
	c.cmd.Env = []string{roleVariable + "=container", "USER_ID=" + strconv.Itoa(asked.user), "LAST_LOG=" + c.lastLog,
		"CONTAINER_PATH=" + path}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Setsid: true}
	if err := os.WriteFile(c.lastLog, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if asked.target == nil {
		c.cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	}
	c.connect(asked)
	// It begins when its namespace is known: it may be over the next moment.
	hold, begin, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.ExtraFiles = []*os.File{hold}
	err = asked.target.spawn(c.cmd)
	_ = hold.Close()
	if err != nil {
		t.Fatal(err)
	}
	// Held open: a namespace that is gone could give its number to another.
	mounts, err := os.Open(c.proc("ns/mnt"))
	if err != nil {
		t.Fatal(err)
	}
	c.mounts, err = os.Readlink(c.proc("ns/mnt"))
	if err != nil {
		t.Fatal(err)
	}
	_ = begin.Close()
	t.Cleanup(func() {
		c.destroy()
		_ = mounts.Close()
	})
	go func() {
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	return c
}

// connect gives the debugger a terminal, or pipes.
func (c *container) connect(asked debugger) {
	c.t.Helper()
	if !asked.tty {
		stdin, err := c.cmd.StdinPipe()
		if err != nil {
			c.t.Fatal(err)
		}
		c.stdin = stdin
		c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
		c.cmd.WaitDelay = 2 * time.Second // whoever still holds the output after that is told by exec.ErrWaitDelay
		return
	}
	terminal, tty, err := pty.Open()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = tty.Close()
		_ = terminal.Close()
	})
	if err := tty.Chown(asked.user, 0); err != nil {
		c.t.Fatal(err)
	}
	c.terminal, c.stdin = terminal, terminal
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = tty, tty, tty
	c.cmd.SysProcAttr.Setctty = true
	c.cmd.Env = append(c.cmd.Env, "TERMINAL="+tty.Name())
	go func() { _, _ = io.Copy(&c.output, terminal) }()
}

// exec starts a command in the container, as the operator's pods/exec would, with a line a second for its input. It returns where
// its exit code will be.
func (c *container) exec(command ...string) <-chan int {
	c.t.Helper()
	return c.execTo(nil, command...)
}

// execTo is exec with somewhere for what the command writes.
func (c *container) execTo(out io.Writer, command ...string) <-chan int {
	c.t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(c.cmd.Process.Pid), "--mount",
		"--setuid", strconv.Itoa(c.user), "--setgid", strconv.Itoa(c.user), "--"}, command...)...)
	cmd.Env = []string{"PATH=" + shells[c.shell] + ":/usr/sbin:/usr/bin"}
	cmd.SysProcAttr, cmd.Stdout = &syscall.SysProcAttr{Setsid: true}, out
	inside := c.target
	if inside == nil {
		inside = &target{pid: c.cmd.Process.Pid}
	}
	seconds, err := cmd.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := inside.spawn(cmd); err != nil {
		c.t.Fatal(err)
	}
	ended, code := make(chan struct{}), make(chan int, 1)
	go func() {
		_ = cmd.Wait()
		code <- exitCode(cmd.ProcessState)
		close(ended)
	}()
	go func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			select {
			case <-ended:
				return
			case <-second.C:
				_, _ = io.WriteString(seconds, "\n")
			}
		}
	}()
	return code
}

// move has the container end so long after now, as the operator does, and returns the exit code of that.
func (c *container) move(left time.Duration) int {
	c.t.Helper()
	select {
	case code := <-c.exec(debugpod.MoveDeadline(time.Now().Add(left))...):
		return code
	case <-time.After(patience):
		c.t.Fatal("the watchdog was not told")
		return 0
	}
}

// sweep ends the container as the operator does, and returns when the sweep is over too.
func (c *container) sweep() {
	c.t.Helper()
	swept := c.exec(debugpod.KillCommand()...)
	c.code()
	select {
	case <-swept:
	case <-time.After(patience):
		c.t.Fatal("the sweep did not end")
	}
}

// destroy kills what is left of the container: it is the test's clean-up, and finds something only in a test that failed.
func (c *container) destroy() {
	for _, p := range c.processes() {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// code waits for the container to end and returns its exit code.
func (c *container) code() int {
	c.t.Helper()
	return c.codeWithin(patience)
}

// codeWithin is code with another patience.
func (c *container) codeWithin(patience time.Duration) int {
	c.t.Helper()
	select {
	case <-c.exited:
	case <-time.After(patience):
		c.t.Fatalf("the container did not end; it printed:\n%s\nits processes:\n%v", c.output.String(), c.processes())
	}
	if errors.Is(c.err, exec.ErrWaitDelay) {
		c.t.Error("the container has ended and something still holds its output")
	}
	return exitCode(c.cmd.ProcessState)
}

// exitCode is how a process has ended: 128 and the signal if one ended it.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// running tells whether the container has not ended.
func (c *container) running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// says waits until the debugger has printed text.
func (c *container) says(text string) {
	c.t.Helper()
	eventually(c.t, func() error {
		if printed := c.output.String(); !strings.Contains(printed, text) {
			return fmt.Errorf("%q was not printed, but this:\n%s", text, printed)
		}
		return nil
	})
}

// types sends keys to the debugger.
func (c *container) types(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.stdin, keys); err != nil {
		c.t.Fatal(err)
	}
}

// prompt waits until the shell reads what is typed.
func (c *container) prompt() {
	c.t.Helper()
	c.types("echo read\"\"ing\n")
	c.says("reading")
}

// lastWords is the container's termination message.
func (c *container) lastWords() string {
	c.t.Helper()
	words, err := os.ReadFile(c.lastLog)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(words)
}

func (c *container) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid), name)
}

// target stands for the user's application: process 1 of a namespace, which reaps nothing, with a worker of root's and
// one of an ordinary user's. Everything about it is checked once more when the test ends.
type target struct {
	pid     int
	workers []process
}

func startTarget(t *testing.T) *target {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleVariable + "=target", "PATH=/usr/bin:/bin"}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	own := &target{pid: cmd.Process.Pid}
	eventually(t, func() error {
		own.workers = children(own.pid, "sleep")
		if len(own.workers) != 2 {
			return fmt.Errorf("the target has %d workers", len(own.workers))
		}
		return nil
	})
	t.Cleanup(func() {
		for _, worker := range own.workers {
			if now, err := readProcess(worker.pid); err != nil || now.state == 'T' || now.state == 'Z' {
				t.Errorf("the target's worker %d was touched: %c, %v", worker.pid, now.state, err)
			}
		}
		if now, err := readProcess(own.pid); err != nil || now.state == 'T' {
			t.Errorf("the target was touched: %c, %v", now.state, err)
		}
		_ = hold.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the target ended with %v", err)
		}
	})
	return own
}

// zombies are the target's unreaped dead, whoever they were.
func (g *target) zombies() []process {
	var dead []process
	for _, child := range children(g.pid, "") {
		if child.state == 'Z' {
			dead = append(dead, child)
		}
	}
	return dead
}

// spawn starts a command in the target's process namespace; of no target, in this one. Its parent stays outside, as a
// container runtime does.
func (g *target) spawn(cmd *exec.Cmd) error {
	if g == nil {
		return cmd.Start()
	}
	runtime.LockOSThread()
	outside, err := os.Open("/proc/self/ns/pid")
	if err != nil {
		return err
	}
	defer outside.Close()
	inside, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", g.pid))
	if err != nil {
		return err
	}
	defer inside.Close()
	if err := unix.Setns(int(inside.Fd()), unix.CLONE_NEWPID); err != nil {
		return err
	}
	started := cmd.Start()
	if err := unix.Setns(int(outside.Fd()), unix.CLONE_NEWPID); err != nil {
		return err // the thread stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return started
}

// transcript is what a container prints, readable while it does.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// eventually waits until try returns nil.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	var err error
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatal(err)
}
