//go:build linux

package deadline

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"debugsession.dev/operator/internal/debugpod"
)

// What is told a later deadline lives on past the one that it had, and ends at the one that it was told.
func TestLaterDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		asked.left, asked.longest = 8*time.Second, time.Hour
		c := begin(t, asked)
		before := time.Now().Add(asked.left) // its deadline was sooner
		if code := c.move(12 * time.Second); code != 0 {
			t.Fatalf("it was not told: exit code %d", code)
		}
		c.expectEnd(debugpod.ExitDeadline, "ended at its deadline")
		if !time.Now().After(before) {
			t.Error("it ended at the deadline that it had before")
		}
	})
}

// What is told an earlier deadline ends at that, with nobody's help.
func TestEarlierDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		asked.left, asked.longest = time.Hour, 2*time.Hour
		c := begin(t, asked)
		at := time.Now().Add(4 * time.Second)
		if code := c.move(4 * time.Second); code != 0 {
			t.Fatalf("it was not told: exit code %d", code)
		}
		c.expectEnd(debugpod.ExitDeadline, "ended at its deadline")
		if time.Now().Before(at.Add(-time.Second)) {
			t.Error("it ended before the deadline that it was told")
		}
	})
}

// A deadline that has come by the time that it is told is one all the same.
func TestDeadlineThatHasPassed(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), longest: 2 * time.Hour, command: []string{"cat"}})
		watchdog(t, c)
		c.move(-time.Second) // with which this very command may end
		c.expectEnd(debugpod.ExitDeadline, "ended at its deadline")
	})
}

func TestMoveToTheHardDeadline(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t,
			debugger{shell: shell, target: startTarget(t), left: 6 * time.Second, longest: 9 * time.Second, command: []string{"cat"}})
		watchdog(t, c)
		hard := time.Unix(deadlinesOf(c)[1], 0)
		if code := c.move(time.Until(hard) + time.Hour); code == 0 {
			t.Error("it was told a deadline past its hard deadline")
		}
		if code := c.move(time.Until(hard)); code != 0 {
			t.Errorf("it was not told its hard deadline: exit code %d", code)
		}
		c.expectEnd(debugpod.ExitDeadline, "ended at its hard deadline")
	})
}

// It is moved there and back, as often as somebody likes.
func TestMoveThereAndBack(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, longest: 2 * time.Hour, command: []string{"cat"}})
		watchdog(t, c)
		for _, left := range []time.Duration{20 * time.Minute, 90 * time.Minute, 90 * time.Minute, 5 * time.Minute, 30 * time.Minute} {
			to := time.Now().Add(left)
			if code := c.move(left); code != 0 {
				t.Fatalf("exit code %d", code)
			}
			ends := int64(0)
			if _, err := fmt.Sscanf(watchdog(t, c).name, "ends %d", &ends); err != nil || ends < to.Unix() || ends > to.Unix()+1 {
				t.Errorf("it ends at %d (%v), and was told %d", ends, err, to.Unix())
			}
		}
	})
}

// Of two that tell it, the one that was begun last counts: the connection of the other was lost, and what it asks is out of date.
func TestOutrunMove(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), longest: 2 * time.Hour, command: []string{"cat"}})
		stopped := watchdog(t, c)
		if err := syscall.Kill(stopped.pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		outrun := c.exec(debugpod.MoveDeadline(time.Now().Add(90 * time.Minute))...)
		eventually(t, func() error {
			for _, p := range c.processes() {
				if strings.HasPrefix(p.name, "until") {
					return nil
				}
			}
			return fmt.Errorf("nobody asks: %v", c.processes())
		})
		newer := c.exec(debugpod.MoveDeadline(time.Now().Add(10 * time.Minute))...)
		if code := <-outrun; code == 0 {
			t.Error("the one that was outrun says that it was heard")
		}
		if err := syscall.Kill(stopped.pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		code, ends := <-newer, int64(0)
		if _, err := fmt.Sscanf(watchdog(t, c).name, "ends %d", &ends); err != nil || code != 0 ||
			time.Until(time.Unix(ends, 0)) > 11*time.Minute {
			t.Errorf("it ends at %d (%v), and the newer one says %d", ends, err, code)
		}
	})
}

// Without a watchdog that answers it is not said that the debugger was told.
func TestNobodyToTell(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), longest: 2 * time.Hour, command: []string{"cat"}})
		if err := syscall.Kill(watchdog(t, c).pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for _, left := range []time.Duration{10 * time.Minute, 90 * time.Minute} {
			if code := c.move(left); code != 1 {
				t.Errorf("exit code %d with a watchdog that is stopped", code)
			}
		}
	})
}

// A command that signals its whole process group means others than the watchdog.
func TestSignalsOfOthers(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), longest: 2 * time.Hour,
			command: []string{"sh", "-c", "trap 'echo begun' USR1; kill -USR1 0; while :; do read -r line; done"}})
		c.says("begun")
		if code := c.move(90 * time.Minute); code != 0 {
			t.Errorf("exit code %d: the watchdog does not answer", code)
		}
	})
}

// watchdog is the container's process that calls itself by its deadline.
func watchdog(t *testing.T, c *container) (found process) {
	t.Helper()
	eventually(t, func() error {
		for _, p := range c.processes() {
			if strings.HasPrefix(p.name, "ends ") {
				found = p
				return nil
			}
		}
		return fmt.Errorf("no process is called by a deadline: %v", c.processes())
	})
	return found
}

// deadlinesOf are those that a container was started with: its deadline and its hard deadline.
func deadlinesOf(c *container) (deadlines [2]int64) {
	c.t.Helper()
	for i := range deadlines {
		if _, err := fmt.Sscan(c.cmd.Args[5+i], &deadlines[i]); err != nil {
			c.t.Fatal(err)
		}
	}
	return deadlines
}
