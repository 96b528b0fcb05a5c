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

// What is extended lives on past the deadline that it had, and ends at the one that it was told.
func TestExtend(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		asked.left, asked.longest = 8*time.Second, time.Hour
		c := begin(t, asked)
		before := time.Now().Add(asked.left) // its deadline was sooner
		if code := c.extend(12 * time.Second); code != 0 {
			t.Fatalf("it was not extended: exit code %d", code)
		}
		c.expectEnd(debugpod.ExitDeadline, "ended at its deadline")
		if !time.Now().After(before) {
			t.Error("it ended at the deadline that it had before")
		}
	})
}

func TestExtendToTheHardDeadline(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), left: 6 * time.Second, longest: 9 * time.Second, command: []string{"cat"}})
		watchdog(t, c)
		hard := time.Unix(deadlinesOf(c)[1], 0)
		if code := c.extend(time.Until(hard) + time.Hour); code == 0 {
			t.Error("it was extended past its hard deadline")
		}
		if code := c.extend(time.Until(hard)); code != 0 {
			t.Errorf("it was not extended to its hard deadline: exit code %d", code)
		}
		c.expectEnd(debugpod.ExitDeadline, "ended at its hard deadline")
	})
}

// An extension that comes late, or was overtaken, moves nothing.
func TestNoEarlierEnd(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, longest: 2 * time.Hour, command: []string{"cat"}})
		watchdog(t, c)
		ends := deadlinesOf(c)[0]
		if code := c.extend(time.Second); code != 0 {
			t.Errorf("exit code %d: it ends later than that already", code)
		}
		if name := watchdog(t, c).name; name != fmt.Sprint("ends ", ends) {
			t.Errorf("its watchdog is called %q", name)
		}
	})
}

// Without a watchdog that answers it is not said that the debugger was extended.
func TestNobodyToExtend(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), longest: 2 * time.Hour, command: []string{"cat"}})
		if err := syscall.Kill(watchdog(t, c).pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if code := c.extend(90 * time.Minute); code != 1 {
			t.Errorf("exit code %d with a watchdog that is stopped", code)
		}
	})
}

// A command that signals its whole process group means others than the watchdog.
func TestSignalsOfOthers(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, target: startTarget(t), longest: 2 * time.Hour,
			command: []string{"sh", "-c", "trap 'echo begun' USR1; kill -USR1 0; while :; do read -r line; done"}})
		c.says("begun")
		ends := deadlinesOf(c)[0]
		if code := c.extend(time.Second); code != 0 {
			t.Errorf("exit code %d: the watchdog does not answer", code)
		}
		if name := watchdog(t, c).name; name != fmt.Sprint("ends ", ends) {
			t.Errorf("its watchdog is called %q", name)
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
