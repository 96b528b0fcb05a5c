//go:build linux

package deadline

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"debugsession.dev/operator/internal/debugpod"
)

// everywhere runs a test with each shell, in a joined and in an own process namespace, as root and as a user, at a
// terminal and without. What it gets lacks only the command.
func everywhere(t *testing.T, try func(t *testing.T, asked debugger)) {
	t.Parallel()
	for shell := range shells {
		for _, joined := range []bool{true, false} {
			for _, user := range []int{0, ordinaryUser} {
				for _, tty := range []bool{true, false} {
					name := fmt.Sprintf("%s,joined=%t,user=%d,tty=%t", shell, joined, user, tty)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						asked := debugger{shell: shell, user: user, tty: tty}
						if joined {
							asked.target = startTarget(t)
						}
						try(t, asked)
					})
				}
			}
		}
	}
}

// eachShell runs a test with each shell.
func eachShell(t *testing.T, try func(t *testing.T, shell string)) {
	t.Parallel()
	for shell := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			try(t, shell)
		})
	}
}

// stubborn ignores every signal that it can.
const stubborn = `trap "" HUP INT QUIT TERM; echo be""gun; exec sleep 1001`

// begin starts a debugger that resists: at a terminal an interactive shell with jobs, one of them stopped.
func begin(t *testing.T, asked debugger) *container {
	t.Helper()
	asked.command = []string{"sh", "-c", stubborn}
	if asked.tty {
		asked.command = []string{"sh", "-i"}
	}
	c := start(t, asked)
	if asked.tty {
		c.prompt()
		c.types("sleep 1002 &\nsleep 1003 & kill -STOP $!\nsh -c '" + stubborn + "'\n")
	}
	c.says("begun")
	return c
}

func TestDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		asked.left = 6 * time.Second
		c := begin(t, asked)
		c.expectEnd(debugpod.ExitDeadline, "ended at its hard deadline")
		if asked.tty {
			c.says("this session is over")
		}
	})
}

func TestSweep(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		c := begin(t, asked)
		began := time.Now()
		c.sweep()
		c.expectEnd(debugpod.ExitSwept, "ended before its deadline, as asked")
		t.Logf("took %s", time.Since(began).Round(time.Millisecond))
	})
}

// A script never gets to its next line. That it does not reap its children either leaves them to the target.
func TestScript(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), command: []string{"sh", "-c",
			"sh -c 'trap \"\" HUP TERM; sleep 1001; echo went on' & echo begun; sleep 1002; echo went on; sleep 1003"}})
		c.says("begun")
		c.named("sleep", 3)
		c.sweep()
		if code := c.code(); code != debugpod.ExitSwept {
			t.Errorf("exit code %d", code)
		}
		if printed := c.output.String(); strings.Contains(printed, "went on") {
			t.Errorf("the script went on: %s", printed)
		}
		if left := c.processes(); len(left) > 0 {
			t.Errorf("left running: %v", left)
		}
		if dead := c.target.zombies(); len(dead) > 3 {
			t.Errorf("zombies of the target: %v, want the scripts' own children at most", dead)
		}
	})
}

// expectEnd waits for the end and checks that it left nothing behind.
func (c *container) expectEnd(code int, lastWords string) {
	c.t.Helper()
	if got := c.code(); got != code {
		c.t.Errorf("exit code %d, want %d; it printed:\n%s", got, code, c.output.String())
	}
	want := ""
	if lastWords != "" {
		want = debugpod.MessagePrefix + lastWords + "\n"
	}
	if got := c.lastWords(); got != want {
		c.t.Errorf("termination message %q, want %q", got, want)
	}
	c.expectNothingLeft()
}

// expectNothingLeft checks that neither a process nor a zombie is left. It does not wait: what is still there when the
// container has ended, only the container runtime would end.
func (c *container) expectNothingLeft() {
	c.t.Helper()
	if left := c.processes(); len(left) > 0 {
		c.t.Errorf("left running: %v", left)
	}
	if c.target != nil {
		if dead := c.target.zombies(); len(dead) > 0 {
			c.t.Errorf("zombies of the target: %v", dead)
		}
	}
}

// What was double-forked is the target's child. It is killed too; that it stays there as a zombie is the target's doing.
func TestDoubleForked(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), left: 8 * time.Second,
			command: []string{"sh", "-c", "(setsid sleep 1001 & ); (sleep 1002 & ); echo begun; exec sleep 1003"}})
		c.says("begun")
		if code := c.code(); code != debugpod.ExitDeadline {
			t.Errorf("exit code %d", code)
		}
		if left := c.processes(); len(left) > 0 {
			t.Errorf("left running: %v", left)
		}
		if dead := c.target.zombies(); len(dead) != 2 {
			t.Errorf("zombies of the target: %v, want the two orphans alone", dead)
		}
	})
}

// A debugger that entered the target's mount namespace is still a debugger, and the target's own processes are not.
func TestInTheTargetsMounts(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		own := startTarget(t)
		c := start(t, debugger{shell: shell, target: own, path: shells[shell] + ":/usr/bin",
			command: []string{"/usr/bin/nsenter", "--target", "1", "--mount", "--", "sleep", "1001"}})
		inside := c.command()
		eventually(t, func() error {
			if !inside.in(own) {
				return fmt.Errorf("%v has not entered the target's mount namespace", inside)
			}
			return nil
		})
		c.sweep()
		c.expectEnd(debugpod.ExitSwept, "ended before its deadline, as asked")
		if p, err := readProcess(inside.pid); err == nil && p.state != 'Z' {
			t.Errorf("%v still runs in the target's mount namespace", p)
		}
	})
}

// A fork bomb fills the process table, which has room for few. Where it was full before the watchdog began to sleep, bash tries for a quarter
// of a minute to start date, and for another to start sleep.
func TestForkBomb(t *testing.T) {
	for shell := range shells {
		t.Run(shell, func(t *testing.T) {
			c := start(t, debugger{shell: shell, target: startTarget(t), user: crampedUser, left: 2 * time.Second,
				command: []string{"sh", "-c", "bomb() { while :; do bomb & done; }; trap '' HUP TERM; bomb & read -r line"}})
			code := c.codeWithin(3 * patience)
			if code != debugpod.ExitDeadline && code != debugpod.ExitSwept {
				t.Errorf("exit code %d", code)
			}
			if left := c.processes(); len(left) > 0 {
				t.Errorf("left running: %d, such as %v", len(left), left[0])
			}
		})
	}
}

// A terminal held with Ctrl-S blocks whoever writes to it, and the end all the same waits for nobody.
func TestHeldTerminal(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), tty: true, command: []string{"sh", "-c",
			"echo begun; read -r line; while :; do echo more; done"}})
		c.says("begun")
		c.types("\x13\n")
		eventually(t, func() error {
			wait, err := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", c.command().pid))
			if err == nil && !strings.Contains(string(wait), "n_tty_write") && !strings.Contains(string(wait), "wait_woken") {
				err = fmt.Errorf("the command does not wait for its terminal, but in %s", wait)
			}
			return err
		})
		c.sweep()
		c.expectEnd(debugpod.ExitSwept, "ended before its deadline, as asked")
	})
}

// When no process can be had, the watchdog cannot even sleep. It then ends the container, sooner rather than never.
func TestNoProcessForTheWatchdog(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		user := starvedUsers[shell]
		c := start(t, debugger{shell: shell, target: startTarget(t), user: user, command: []string{"cat"}})
		sleeper := c.named("sleep", 1)[0]
		crowd(t, user, int(processLimits[user]))
		if err := syscall.Kill(sleeper.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.expectEnd(debugpod.ExitSwept, "ended before its deadline, for its watchdog was lost")
	})
}

// crowd gives a user so many processes more.
func crowd(t *testing.T, user, processes int) {
	t.Helper()
	for range processes {
		other := exec.Command("sleep", "infinity")
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = other.Process.Kill()
			_ = other.Wait()
		})
	}
}

func TestTooLate(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, command: []string{"echo", "ran"}, left: -time.Second})
		c.expectEnd(debugpod.ExitDeadline, "not started: its deadline had passed before it could start")
		if printed := c.output.String(); !strings.Contains(printed, "not started: its deadline had passed") ||
			strings.Contains(printed, "ran") {
			t.Errorf("printed %q", printed)
		}
	})
}

// Its hard deadline is far, but its session has given it up.
func TestStartedTooLate(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, command: []string{"echo", "ran"}, late: true})
		c.expectEnd(debugpod.ExitDeadline, "not started: it came too late: its session has stopped waiting for it")
		if printed := c.output.String(); strings.Contains(printed, "ran") {
			t.Errorf("printed %q", printed)
		}
	})
}

// Without date the time is known from the kernel; without sleep nothing is started.
func TestMissingTools(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		bare := t.TempDir()
		link(t, shell, bare, "sh")
		c := start(t, debugger{shell: shell, path: bare, command: []string{"sh"}})
		if shell != "busybox" { // there, sh itself may be all tools at once
			c.expectEnd(debugpod.ExitUnable, "not started: no sleep is in its PATH ("+bare+"), so nothing could end it in time; "+
				"use an image with a shell, sleep and date, or another PATH")
		}
		link(t, shell, bare, "sleep")
		c = start(t, debugger{shell: shell, path: bare, command: []string{"sleep", "1001"}, left: 8 * time.Second})
		c.expectEnd(debugpod.ExitDeadline, "ended at its hard deadline")
	})
}

// Whoever kills the sleeper, by pkill sleep for one, does not stop the watchdog.
func TestSleeperKilled(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, command: []string{"cat"}, left: 6 * time.Second})
		for range 2 {
			for _, sleeper := range c.named("sleep", 2) { // in the last minute it has one for the end, too
				_ = syscall.Kill(sleeper.pid, syscall.SIGKILL) // the second may have gone with the first
				eventually(t, func() error {
					if _, err := readProcess(sleeper.pid); err == nil {
						return fmt.Errorf("the sleeper is not reaped")
					}
					return nil
				})
			}
		}
		c.expectEnd(debugpod.ExitDeadline, "ended at its hard deadline")
	})
}

// A hostile debugger can kill or stop the watchdog, and stop a wrapper that is not process 1. The sweep ends it all the same.
func TestSweepAlone(t *testing.T) {
	t.Parallel()
	for shell := range shells {
		for _, joined := range []bool{true, false} {
			for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
				t.Run(fmt.Sprintf("%s,joined=%t,signal=%d", shell, joined, signal), func(t *testing.T) {
					t.Parallel()
					asked := debugger{shell: shell, tty: true, command: []string{"sh", "-c", "trap '' HUP TERM; echo begun; cat; cat"}}
					if joined {
						asked.target = startTarget(t)
					}
					c := start(t, asked)
					c.says("begun")
					watchdog := c.named("sleep", 1)[0].parent
					c.named("cat", 1)
					if err := syscall.Kill(watchdog, signal); err != nil {
						t.Fatal(err)
					}
					if joined && signal == syscall.SIGSTOP {
						if err := syscall.Kill(c.cmd.Process.Pid, signal); err != nil {
							t.Fatal(err)
						}
					}
					c.sweep()
					if left := c.processes(); len(left) > 0 {
						t.Errorf("left running: %v", left)
					}
				})
			}
		}
	}
}
