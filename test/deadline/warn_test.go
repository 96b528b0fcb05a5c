//go:build linux

package deadline

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"debugsession.dev/operator/internal/debugpod"
)

// warned are the warnings that a debugger's terminal has shown, each as how soon the end was said to be.
func (c *container) warned() []string {
	var said []string
	for _, line := range warning.FindAllStringSubmatch(c.output.String(), -1) {
		said = append(said, line[1])
	}
	return said
}

var warning = regexp.MustCompile(`\r\ndebugsession: this session ends in (.*), at \d\d:\d\d:\d\d UTC; .*\r\n`)

// warns waits until the terminal has shown as many warnings as there are patterns, and holds them against those.
func (c *container) warns(patterns ...string) {
	c.t.Helper()
	eventually(c.t, func() error {
		if said := c.warned(); len(said) < len(patterns) {
			return fmt.Errorf("%d warnings, %q; printed:\n%s", len(said), said, c.output.String())
		}
		return nil
	})
	said := c.warned()
	if len(said) > len(patterns) {
		c.t.Fatalf("warnings %q, want %q", said, patterns)
	}
	for i := range patterns {
		if !regexp.MustCompile("^(" + patterns[i] + ")$").MatchString(said[i]) {
			c.t.Errorf("warning %d is %q, want %s", i, said[i], patterns[i])
		}
	}
}

// Who is at the terminal is told before the end, once for each warning; without a terminal nobody is, for it would be in the output.
// A session that was shorter than a warning from the start has no such warning.
func TestEndWarnings(t *testing.T) {
	everywhere(t, func(t *testing.T, asked debugger) {
		asked.left, asked.longest = 14*time.Second, time.Hour
		asked.warnings = []time.Duration{4 * time.Second, 5 * time.Minute, 10 * time.Second}
		c := begin(t, asked)
		ends := time.Unix(deadlinesOf(c)[0], 0).UTC()
		c.expectEnd(debugpod.ExitDeadline, "ended at its deadline")
		if !asked.tty {
			if printed := c.output.String(); strings.Contains(printed, "debugsession") {
				t.Errorf("printed %q", printed)
			}
			return
		}
		c.warns("([6-9]|10) seconds", "[1-4] seconds?")
		c.says(fmt.Sprintf("at %s UTC; kubectl dbg extend -n shop checkout-hang +30m extends it", ends.Format(time.TimeOnly)))
	})
}

// An end that is moved is warned of anew: at once, if its warning is due.
func TestEndWarningsOfMovedEnd(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{
			shell: shell, target: startTarget(t), tty: true, longest: 2 * time.Hour,
			warnings: []time.Duration{5 * time.Minute, time.Minute}, command: []string{"cat"},
		})
		watchdog(t, c)
		var said []string
		for _, step := range []struct {
			left time.Duration
			says string
		}{
			{3*time.Minute + 10*time.Second, "3 minutes"},
			{90 * time.Minute, ""},
			{4*time.Minute + 10*time.Second, "4 minutes"},
			{2*time.Minute + 10*time.Second, "2 minutes"},
			{50 * time.Second, "(4[0-9]|50) seconds"},
			{30 * time.Minute, ""},
		} {
			if code := c.move(step.left); code != 0 {
				t.Fatalf("exit code %d", code)
			}
			if step.says != "" {
				said = append(said, step.says)
			}
			c.warns(said...)
		}
		to := time.Now().Add(2 * time.Minute)
		for range 2 { // the same end twice, as when a connection was lost
			if code := <-c.exec(debugpod.MoveDeadline(to)...); code != 0 {
				t.Fatalf("exit code %d", code)
			}
		}
		c.warns(append(said, "2 minutes")...)
		c.sweep()
	})
}

// What cannot be extended any more is said so, and what can be by less than half an hour, by how much.
func TestEndWarningsTellHowToExtend(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		for longest, says := range map[time.Duration]string{
			5 * time.Minute:                 "it cannot be extended",
			16*time.Minute + 10*time.Second: "kubectl dbg extend -n shop checkout-hang +11m extends it",
		} {
			c := start(t, debugger{
				shell: shell, tty: true, left: 5*time.Minute + 6*time.Second, longest: longest,
				warnings: []time.Duration{5 * time.Minute}, command: []string{"cat"},
			})
			c.warns("5 minutes") // also if it is a few seconds late
			c.says(says)
			c.sweep()
		}
	})
}

// A terminal that is held with Ctrl-S blocks whoever writes to it. The warning is then lost, and nothing else.
func TestEndWarningOnHeldTerminal(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{
			shell: shell, target: startTarget(t), tty: true, left: 12 * time.Second,
			warnings: []time.Duration{7 * time.Second},
			command:  []string{"sh", "-c", "echo begun; read -r line; while :; do echo more; done"},
		})
		ends := time.Unix(deadlinesOf(c)[0], 0)
		c.says("begun")
		c.types("\x13\n")
		c.expectEnd(debugpod.ExitDeadline, "ended at its hard deadline")
		if late := time.Since(ends); late > 4*time.Second {
			t.Errorf("it ended %s late", late)
		}
	})
}

// A program that has the terminal to itself, in raw mode, with writes of the background forbidden, is warned as any other.
func TestEndWarningInOtherModes(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{
			shell: shell, path: shells[shell] + ":/usr/bin:/bin", tty: true, left: 5*time.Minute + 4*time.Second, longest: time.Hour,
			warnings: []time.Duration{5 * time.Minute},
			command:  []string{"sh", "-c", "stty raw -echo tostop; echo begun; exec cat"},
		})
		c.says("begun")
		c.warns("5 minutes") // also if it is a few seconds late
		c.sweep()
	})
}

// Where there is room for no more processes than the watchdog needs to nap, a warning takes none away from it, although the terminal is
// held.
func TestEndWarningInFullProcessTable(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		user := tightUsers[shell]
		c := start(t, debugger{
			shell: shell, target: startTarget(t), user: user, tty: true, left: 12 * time.Second,
			warnings: []time.Duration{6 * time.Second}, command: []string{"cat"},
		})
		c.named("sleep", 1)
		crowd(t, user, int(processLimits[user])-len(c.processes())-1) // it has two for the last nap
		c.types("\x13")
		c.expectEnd(debugpod.ExitDeadline, "ended at its hard deadline")
	})
}

// Nothing of the warnings is in what ps shows, or in the command's environment.
func TestEndWarningsDoNotShow(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := start(t, debugger{shell: shell, tty: true, warnings: []time.Duration{5 * time.Minute}, command: []string{"cat"}})
		variables, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.command().pid))
		if err != nil || strings.Contains(string(variables), "checkout-hang") {
			t.Errorf("environment %q, %v", variables, err)
		}
		for _, p := range c.processes() {
			words, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
			if err != nil || strings.Contains(string(words), "checkout-hang") {
				t.Errorf("%v was started as %q, %v", p, words, err)
			}
		}
		c.sweep()
	})
}
