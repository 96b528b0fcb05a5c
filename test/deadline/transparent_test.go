//go:build linux

package deadline

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// A command that ends by itself takes the watchdog with it, and the container has its exit code.
func TestExitCode(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		asked.command = []string{"sh", "-c", "sleep 1001 & exit 7"}
		c := start(t, asked)
		if code := c.code(); code != 7 {
			t.Errorf("exit code %d; it printed:\n%s", code, c.output.String())
		}
		if words := c.lastWords(); words != "" {
			t.Errorf("termination message %q", words)
		}
		if left := c.processes(); len(left) > 0 {
			t.Errorf("left running: %v", left)
		}
		if asked.target != nil {
			if dead := asked.target.zombies(); len(dead) > 1 { // the job, whose parent had gone before it
				t.Errorf("zombies of the target: %v", dead)
			}
		}
	})
}

func TestUnknownCommand(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), command: []string{"no-such-command"}})
		c.expectEnd(127, "not started: the image has no no-such-command; set debugger.command to a program that it has")
		if printed := c.output.String(); !strings.Contains(printed, "no-such-command") {
			t.Errorf("printed %q", printed)
		}
	})
}

// A command that a signal ended gives 128 and the signal, as it does under a shell.
func TestKilledCommand(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), command: []string{"cat"}})
		if err := syscall.Kill(c.command().pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.expectEnd(137, "")
	})
}

func TestStandardInput(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), command: []string{"cat"}})
		c.types("one\n")
		c.says("one")
		c.types("two\n")
		c.says("two")
		if err := c.stdin.Close(); err != nil {
			t.Fatal(err)
		}
		c.expectEnd(0, "")
	})
}

// Without a terminal a signal reaches the command at once, which may end as it likes.
func TestSignals(t *testing.T) {
	t.Parallel()
	for shell := range shells {
		for _, joined := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,joined=%t", shell, joined), func(t *testing.T) {
				t.Parallel()
				asked := debugger{shell: shell, command: []string{"sh", "-c",
					"trap 'echo hung' HUP; trap 'echo told; exit 9' TERM; echo begun; while :; do sleep 0.05; done"}}
				if joined {
					asked.target = startTarget(t)
				}
				c := start(t, asked)
				c.says("begun")
				for _, step := range []struct {
					signal syscall.Signal
					says   string
				}{{syscall.SIGHUP, "hung"}, {syscall.SIGTERM, "told"}} {
					if err := syscall.Kill(c.cmd.Process.Pid, step.signal); err != nil {
						t.Fatal(err)
					}
					c.says(step.says)
				}
				c.expectEnd(9, "")
			})
		}
	}
}

// Signals that come while the wrapper is not waiting cut short its next wait. The command has not ended for that.
func TestManySignals(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, command: []string{"sh", "-c",
			"trap : USR1; trap 'echo told; exit 9' TERM; echo begun; while :; do sleep 0.05; done"}})
		c.says("begun")
		for range 2000 {
			if err := syscall.Kill(c.cmd.Process.Pid, syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Kill(c.cmd.Process.Pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		c.expectEnd(9, "")
	})
}

// At a terminal a joined wrapper ends at once with TERM, and does not hold up the deletion of the pod.
func TestTerminatedAtTerminal(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), tty: true, command: []string{"sh", "-i"}})
		c.prompt()
		if err := syscall.Kill(c.cmd.Process.Pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := c.code(); code != 128+int(syscall.SIGTERM) {
			t.Errorf("exit code %d", code)
		}
	})
}

// An interactive shell has its terminal to itself: Ctrl-C, Ctrl-Z, bg, fg, the window's size and the end of input.
func TestInteractive(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		if !asked.tty {
			t.Skip("not at a terminal")
		}
		asked.command = []string{"sh", "-i"}
		c := start(t, asked)
		c.prompt()
		shell := c.command()

		c.types("sleep 1001\n")
		c.foreground("1001")
		c.presses("\x03", shell)
		c.types("echo after=$?\n")
		c.says("after=130")

		c.types("sleep 1002\n")
		c.foreground("1002")
		c.presses("\x1a", shell)
		c.types("jobs; echo 'jobs 'listed\n")
		c.says("Stopped")
		c.says("jobs listed")
		c.types("bg\n")
		c.inState("1002", 'S')
		c.types("fg\n")
		c.foreground("1002")
		c.presses("\x03", shell)
		c.types("echo again=$?\n")
		c.says("again=130")

		c.types("sh -c 'trap \"echo resi\"zed WINCH; trap exit INT; echo wai\"\"ting; while :; do sleep 0.05; done'\n")
		c.says("waiting")
		if err := pty.Setsize(c.terminal, &pty.Winsize{Rows: 37, Cols: 111}); err != nil {
			t.Fatal(err)
		}
		c.says("resized")
		c.presses("\x03", shell)
		c.types("stty size </dev/tty\n")
		c.says("37 111")

		if !c.running() {
			t.Fatal("the container ended early")
		}
		c.types("exit 4\n")
		c.expectEnd(4, "")
	})
}

// Ctrl-D ends a shell, and with it the container.
func TestEndOfInputAtTerminal(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), tty: true, command: []string{"sh", "-i"}})
		c.prompt()
		c.types("\x04")
		c.expectEnd(0, "")
	})
}

// Ctrl-C ends a command that is not a shell, and neither the wrapper before it nor its watchdog.
func TestInterruptedCommand(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), tty: true, command: []string{"sh", "-c",
			"trap 'echo interrupted' INT; echo begun; while :; do read -r line && echo got $line; done"}})
		c.says("begun")
		c.types("\x03")
		c.types("\n")
		c.says("interrupted")
		c.types("more\n")
		c.says("got more")
		c.named("sleep", 1)
		if err := syscall.Kill(c.command().pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(c.command().pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.expectEnd(137, "")
	})
}

// The command's environment and files are its own: nothing of the wrapper's shows in them.
func TestNothingInherited(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), command: []string{"cat"}})
		pid := c.command().pid
		eventually(t, func() error {
			name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if err != nil || string(name) != "cat\n" {
				return fmt.Errorf("the command has not begun: %s, %w", name, err)
			}
			return nil
		})
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil || len(files) != 3 {
			t.Errorf("%d open files, %v; want standard input, output and error alone", len(files), err)
		}
		variables, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || strings.Contains(string(variables), "deadline=") || strings.Contains(string(variables), "DEBUGSESSION") {
			t.Errorf("environment %q, %v", variables, err)
		}
		c.sweep()
	})
}

// ps in a debugger shows what its processes were started with: of ours when they end and what they run, and nothing of the script.
func TestBriefInPs(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), command: []string{"cat"}})
		c.command()
		for _, p := range c.processes() {
			words, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
			if err != nil || len(words) > 120 || strings.Contains(string(words), "scan()") {
				t.Errorf("%v was started as %q, %v", p, words, err)
			}
		}
		c.sweep()
	})
}

// sleep is the container's process that sleeps for so many seconds.
func (c *container) sleep(seconds string) (process, error) {
	for _, p := range c.processes() {
		words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
		if string(words) == "sleep\x00"+seconds+"\x00" {
			return p, nil
		}
	}
	return process{}, fmt.Errorf("no sleep %s; printed:\n%s", seconds, c.output.String())
}

// inState waits until that sleep is in a state.
func (c *container) inState(seconds string, state byte) {
	c.t.Helper()
	eventually(c.t, func() error {
		p, err := c.sleep(seconds)
		if err == nil && p.state != state {
			err = fmt.Errorf("%v is not in state %c; printed:\n%s", p, state, c.output.String())
		}
		return err
	})
}

// presses types a key that takes the terminal from what has it, and waits until the shell has it: what is typed before that is
// thrown away with what the key interrupts.
func (c *container) presses(key string, shell process) {
	c.t.Helper()
	c.types(key)
	eventually(c.t, func() error {
		p, err := readProcess(shell.pid)
		if err == nil && p.group != p.foreground {
			err = fmt.Errorf("%v does not have the terminal; printed:\n%s", p, c.output.String())
		}
		return err
	})
}

// foreground waits until that sleep has the terminal.
func (c *container) foreground(seconds string) {
	c.t.Helper()
	eventually(c.t, func() error {
		p, err := c.sleep(seconds)
		if err == nil && (p.group != p.foreground || p.state != 'S') {
			err = fmt.Errorf("%v does not have the terminal; printed:\n%s", p, c.output.String())
		}
		return err
	})
}
