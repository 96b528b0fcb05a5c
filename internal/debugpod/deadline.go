package debugpod

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Kubernetes can neither remove an ephemeral container nor limit its time. So the operator puts a small POSIX shell
// script around the debugger's command, which the kubelet starts and which needs nobody afterwards: it ends the
// container at its hard deadline, and earlier when the sweep tells it to. docs/deadline.md says how, what the image must
// have, and what remains.

// The exit codes of a wrapped container that did not simply end with its command, whose exit code it has otherwise.
// A command can exit with the same ones; the container's termination message, which then begins with MessagePrefix,
// tells them apart.
const (
	// ExitDeadline: its deadline ended it, or had passed before it started, or it started too late. The same as timeout(1)'s.
	ExitDeadline = 124

	// ExitUnable: the command was not started, for nothing could have ended it in time; the message says what the image
	// lacks.
	ExitUnable = 125

	// ExitSwept: ended before its deadline, by the sweep or because the watchdog could not go on; the message says
	// which. The same as if TERM had ended it.
	ExitSwept = 143
)

// wrapperName is $0 of the scripts.
const wrapperName = "debugsession"

// MessagePrefix begins what the wrapper writes to the container's termination message, when it has something to say. What
// the command wrote there stands before it.
const MessagePrefix = "debugsession: "

// What it says there when the deadline has ended the command, and when that was as late as the hard deadline.
const (
	AtDeadline     = MessagePrefix + "ended at its deadline"
	AtHardDeadline = MessagePrefix + "ended at its hard deadline"

	// WhenIdle is what it says there when nobody has used its terminal for too long. The exit code is that of a deadline.
	WhenIdle = MessagePrefix + "ended for nobody used it"

	// WatchdogLost is what it says there when nothing would end the command any more at its deadline, so that it was ended at once.
	WatchdogLost = MessagePrefix + "ended before its deadline, for its watchdog was lost"
)

// recordedGreeting tells whoever is at the terminal that what it prints is kept.
const recordedGreeting = `[ -t 1 ] && printf '\r\ndebugsession: what is printed here is recorded\r\n'` + "\n"

var (
	//go:embed deadline_processes.sh
	processesScript string

	//go:embed deadline_idle.sh
	idleScript string

	//go:embed deadline_wrap.sh
	wrapScript string

	//go:embed deadline_exec.sh
	execScript string

	//go:embed deadline_sweep.sh
	sweepScript string

	//go:embed deadline_move.sh
	moveScript string

	//go:embed deadline_hold.sh
	holdScript string

	//go:embed deadline_held.sh
	heldScript string

	//go:embed deadline_await_files.sh
	awaitFilesScript string

	//go:embed deadline_read_file.sh
	readFileScript string

	//go:embed deadline_let_go.sh
	letGoScript string
)

// Deadlines are the times that a debugger keeps to by itself, in whole seconds.
type Deadlines struct {
	// StartBy: a container that is started then or later ends at once. Its session has ended without it.
	StartBy time.Time

	// End is when it ends, unless it is told of another time.
	End time.Time

	// Hard is as late as it can be told to end.
	Hard time.Time

	// Warnings are how long before its end whoever is at its terminal is told of it, in any order.
	Warnings []time.Duration

	// Idle is after how long it ends if nobody uses its terminal. Zero: it does not.
	Idle time.Duration

	// Hold is for how long the container stays for its files once its command has ended, and not past its end. Zero: it does not.
	Hold time.Duration

	// Recorded is whether what it prints is kept, of which whoever is at its terminal is told.
	Recorded bool

	// Session is what they are told to extend.
	Session types.NamespacedName
}

// Wrap returns the command of a container that runs command with args and keeps to the deadlines, whatever happens to the operator.
// It leaves args empty: all of it goes into the container's command.
//
// What the session wrote means what it means without the wrapper: the kubelet still expands $(VAR) in it. The script is
// escaped so that the kubelet leaves it as it is.
//
// It returns an *InvalidError if there is no command: what the image would run is not known here.
func Wrap(command, args []string, deadlines Deadlines) ([]string, error) {
	if len(command) == 0 {
		return nil, &InvalidError{
			Field:   "spec.debugger.command",
			Message: "an image's own entrypoint cannot be given a time limit: set the command, such as [sh]",
		}
	}
	script := strings.ReplaceAll(brief(deadlines.settings()+bare(deadlines.script())), "$", "$$")
	wrapped := []string{"sh", "-c", script, wrapperName, unix(deadlines.End), unix(deadlines.Hard), unix(deadlines.StartBy), "--"}
	return slices.Concat(wrapped, command, args), nil
}

// script is what runs a command and keeps to the deadlines: no longer than it takes, for it stays in its pod for good.
func (d *Deadlines) script() string {
	script := processesScript
	if d.Idle > 0 {
		script += idleScript
	}
	if d.Hold > 0 {
		script += holdScript
	}
	return script + wrapScript
}

// settings are the variables that the script finds set. They are no arguments of it, so that ps shows none of them.
func (d *Deadlines) settings() string {
	warnings := slices.Clone(d.Warnings)
	slices.Sort(warnings)
	slices.Reverse(warnings)
	seconds := make([]string, len(warnings))
	for i, warning := range warnings {
		seconds[i] = strconv.FormatInt(int64(warning/time.Second), 10)
	}
	inSeconds := func(d time.Duration) string {
		if d <= 0 {
			return ""
		}
		return strconv.FormatInt(int64(d/time.Second), 10)
	}
	greeting := ""
	if d.Recorded {
		greeting = recordedGreeting
	}
	return fmt.Sprintf("warnings='%s' idle='%s' hold='%s' session='-n %s %s'\n", strings.Join(seconds, " "), inSeconds(d.Idle), inSeconds(d.Hold), d.Session.Namespace, d.Session.Name) + greeting
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// KillCommand returns the command that ends a wrapped container now, when it is executed in it. The processes are asked first
// and killed after a second. It is for pods/exec, where nothing is expanded. A line a second on its standard input is its
// clock; without one it keeps a processor busy while it waits.
//
// Its own exit code says nothing: it runs in what it ends. The container's status does. In a container that is not
// wrapped it kills what can be killed from inside, after five seconds: everything but process 1 of its own namespace.
func KillCommand() []string {
	return []string{"sh", "-c", bare(processesScript + execScript + sweepScript), wrapperName}
}

// MoveDeadline returns the command that has a wrapped container end at another time, when it is executed in it: at deadline, which
// is not after its hard deadline. It succeeds if the container will end then; a second time is harmless. It fails if the container
// is at its end already. Of two that run at once the one that was begun last counts, and the other fails. Its clock is that of
// the sweep.
func MoveDeadline(deadline time.Time) []string {
	return []string{"sh", "-c", bare(processesScript + execScript + moveScript), wrapperName, unix(deadline)}
}

// scriptVariable holds the script from one exec to the next. The script unsets it before anything else runs.
const scriptVariable = "DEBUGSESSION_SCRIPT"

// brief returns what runs the script in a shell whose arguments do not hold it: ps in a debugger would show all of it. The process
// stays the same one, and the variable is nobody else's: it is not in the container's environment, where kubectl exec would find it.
func brief(script string) string {
	quoted := "'" + strings.ReplaceAll("unset "+scriptVariable+"\n"+script, "'", `'\''`) + "'"
	return "export " + scriptVariable + "=" + quoted + "\n" + `exec sh -c 'eval "$` + scriptVariable + `"' "$0" "$@"`
}

// bare is the script without its comments, empty lines and indentation.
func bare(script string) string {
	var lines []string
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
