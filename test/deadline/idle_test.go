//go:build linux

package deadline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"debugsession.dev/operator/internal/debugpod"
)

// idleTimeout is so short that what is added to it counts for more: the steps of eight seconds in which the kernel notes the times.
const idleTimeout = 4 * time.Second

// idleShell is an interactive shell that ends when nobody uses it.
func idleShell(t *testing.T, shell string) *container {
	t.Helper()
	c := start(t, debugger{
		shell: shell, path: shells[shell] + ":/usr/bin:/bin", target: startTarget(t), tty: true, idle: idleTimeout,
		command: []string{"sh", "-i"},
	})
	c.prompt()
	return c
}

// endsIdle waits for the end of a debugger that nobody uses, and checks that it came no sooner than it should have.
func (c *container) endsIdle(unused time.Time) {
	c.t.Helper()
	select {
	case <-c.exited:
	case <-time.After(time.Minute):
		c.t.Fatalf("it does not end; it printed:\n%s\nits processes:\n%v", c.output.String(), c.processes())
	}
	if after := time.Since(unused); after < idleTimeout {
		c.t.Errorf("it ended %s after it was used", after)
	}
	if code := c.code(); code != debugpod.ExitDeadline || c.lastWords() != debugpod.WhenIdle+"\n" {
		c.t.Errorf("it ended with %d, %q; it printed:\n%s", code, c.lastWords(), c.output.String())
	}
	if left := c.processes(); len(left) > 0 {
		c.t.Errorf("left running: %v", left)
	}
	c.says("nobody uses this session, and it ends in ")
}

// outlives checks that a debugger has not ended when it would have if nobody had used it.
func (c *container) outlives(doing func()) {
	c.t.Helper()
	for until := time.Now().Add(idleTimeout + 16*time.Second); time.Now().Before(until); time.Sleep(time.Second) {
		if !c.running() {
			c.t.Fatalf("it ended with %q; it printed:\n%s", c.lastWords(), c.output.String())
		}
		doing()
	}
}

// A shell that waits at its prompt ends, whether somebody was there or not, in joined and in own process namespaces.
func TestIdle(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		if !asked.tty {
			t.Skip("nothing tells whether what has no terminal is used")
		}
		asked.idle, asked.command, asked.path = idleTimeout, []string{"sh", "-i"}, shells[asked.shell]+":/usr/bin:/bin"
		began := time.Now()
		c := start(t, asked)
		if asked.target == nil {
			c.prompt()
			c.types("sleep 1002 &\n") // which has no part in it
			began = time.Now()
		}
		c.endsIdle(began)
	})
}

// What is used does not end, for any of the reasons for which it is in use; and when it is no longer, it does.
func TestNotIdle(t *testing.T) {
	t.Parallel()
	for shell := range shells {
		for name, use := range map[string]struct{ once, again, stop string }{
			"keys":               {again: "\n"},
			"output of a job":    {once: "(while :; do echo working; sleep 3; done) &\n"},
			"a silent command":   {once: "sleep 1001\n", stop: "\x03"},
			"a silent script":    {once: "sh -c 'sleep 1001; :'\n"},
			"a program's prompt": {once: "cat\n"},
		} {
			t.Run(shell+","+name, func(t *testing.T) {
				t.Parallel()
				c := idleShell(t, shell)
				c.types(use.once)
				c.outlives(func() { c.types(use.again) })
				if use.stop != "" {
					c.types(use.stop)
					c.endsIdle(time.Now().Add(-2 * time.Second))
				}
			})
		}
	}
}

// A shell within the shell that waits is as idle as the first one.
func TestIdleInnerShell(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := idleShell(t, shell)
		c.types("sh -i\n")
		c.prompt()
		c.endsIdle(time.Now())
	})
}

// Whoever works in the container by kubectl exec uses it.
func TestNotIdleWhileExecRuns(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := idleShell(t, shell)
		done := c.exec("sh", "-c", "sleep 25; :")
		c.outlives(func() {})
		<-done
		c.endsIdle(time.Now().Add(-2 * idleTimeout))
	})
}

// A command that is no shell is no forgotten one, whatever it does.
func TestNotIdleCommand(t *testing.T) {
	t.Parallel()
	for shell := range shells {
		for name, asked := range map[string]debugger{
			"a program": {command: []string{"cat"}, tty: true}, "a script": {command: []string{"sh", "-c", "sleep 1001; :"}, tty: true},
			"without a terminal": {command: []string{"cat"}},
		} {
			t.Run(shell+","+name, func(t *testing.T) {
				t.Parallel()
				asked.shell, asked.path, asked.idle, asked.target = shell, shells[shell]+":/usr/bin:/bin", idleTimeout, startTarget(t)
				c := start(t, asked)
				c.outlives(func() {})
				c.sweep()
				if code := c.code(); code != debugpod.ExitSwept {
					t.Errorf("it ended with %d, %q", code, c.lastWords())
				}
			})
		}
	}
}

// The warnings of the end are no use, and a key after the notice is.
func TestIdleNotice(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		const idle, warned = 16 * time.Second, 12 * time.Second
		c := start(t, debugger{
			shell: shell, path: shells[shell] + ":/usr/bin:/bin", target: startTarget(t), tty: true, idle: idle, left: 5 * time.Minute,
			longest: time.Hour, warnings: []time.Duration{5*time.Minute - warned}, command: []string{"sh", "-i"},
		})
		c.prompt()
		unused := time.Now()
		c.warns("5 minutes")
		c.says("nobody uses this session, and it ends in ")
		if after := time.Since(unused); after >= warned+idle {
			t.Errorf("the notice came after %s: the warning was taken for use", after)
		}
		c.types("\n")
		c.endsIdle(time.Now())
		if notices := strings.Count(c.output.String(), "; press Enter to keep it"); notices != 2 {
			t.Errorf("%d notices, want one each time", notices)
		}
	})
}

// A terminal that is held may hide anything: it is not idle, and neither hangs nor ends for that.
func TestHeldTerminalIsNotIdle(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := idleShell(t, shell)
		c.types("\x13")
		c.outlives(func() {})
		c.sweep()
		c.expectEnd(debugpod.ExitSwept, "ended before its deadline, as asked")
	})
}

// Idle or not, the deadline and an earlier end are kept to.
func TestDeadlineOfIdle(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{
			shell: shell, path: shells[shell] + ":/usr/bin:/bin", tty: true, idle: idleTimeout, left: 6 * time.Second, longest: time.Hour,
			command: []string{"sh", "-i"},
		})
		c.expectEnd(debugpod.ExitDeadline, "ended at its deadline")
		c = idleShell(t, shell)
		c.sweep()
		c.expectEnd(debugpod.ExitSwept, "ended before its deadline, as asked")
	})
}

// Without stat nobody could tell, and nothing is started.
func TestIdleWithoutStat(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		bare := t.TempDir()
		for _, tool := range []string{"sh", "sleep", "date"} {
			link(t, shell, bare, tool)
		}
		if _, err := os.Stat(filepath.Join(bare, "sh")); err != nil {
			t.Fatal(err)
		}
		c := start(t, debugger{shell: shell, path: bare, tty: true, idle: idleTimeout, command: []string{"sh"}})
		if shell == "busybox" { // there, sh itself may be all tools at once
			c.sweep()
			return
		}
		c.expectEnd(debugpod.ExitUnable,
			"not started: no stat is in its PATH ("+bare+"), so nobody could tell when it is not used; "+
				"use an image that has it, or leave out idleTimeout")
	})
}

// A shell that is stopped, as a debugger may do with itself, does not hold up the end.
func TestIdleShellThatIsStopped(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := idleShell(t, shell)
		unused := time.Now()
		if err := syscall.Kill(c.command().pid, syscall.SIGSTOP); err != nil {
			t.Fatal(fmt.Errorf("stopping the shell: %w", err))
		}
		c.endsIdle(unused)
	})
}
