package debugpod

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

var (
	deadlines = Deadlines{
		StartBy: time.Unix(1763990000, 0), End: time.Unix(1764000000, 999), Hard: time.Unix(1764000900, 0),
		Warnings: []time.Duration{time.Minute, 5 * time.Minute}, Session: types.NamespacedName{Namespace: "shop", Name: "checkout-hang"},
	}
)

func TestWrapKeepsTheCommand(t *testing.T) {
	command, args := []string{"strace", "-f"}, []string{"-p", "1 2", "", "--", "é\n"}
	got, err := Wrap(command, args, deadlines)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"debugsession", "1764000000", "1764000900", "1763990000", "--", "strace", "-f", "-p", "1 2", "", "--", "é\n"}
	if !slices.Equal(got[:2], []string{"sh", "-c"}) || !slices.Equal(got[3:], want) {
		t.Errorf("got %q, want sh -c SCRIPT %q", slices.Delete(slices.Clone(got), 2, 3), want)
	}
}

// What the script finds set is sorted, in seconds, and quoted as a shell needs it.
func TestSettings(t *testing.T) {
	d := Deadlines{Warnings: []time.Duration{time.Minute, 2 * time.Hour, 90 * time.Second}, Idle: 20 * time.Minute,
		Session: types.NamespacedName{Namespace: "shop", Name: "a.b-1"}}
	if got, want := d.settings(), "warnings='7200 90 60' idle='1200' hold='' session='-n shop a.b-1'\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&Deadlines{}).settings(), "warnings='' idle='' hold='' session='-n  '\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whoever is recorded is told by the first thing that the script does.
func TestWrapTellsOfTheRecording(t *testing.T) {
	recorded := deadlines
	recorded.Recorded = true
	for _, d := range []Deadlines{deadlines, recorded} {
		got, err := Wrap([]string{"sh"}, nil, d)
		if err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(got[2], "debugsession: what is printed here is recorded"); told != d.Recorded {
			t.Errorf("recorded %v, and the script tells so: %v", d.Recorded, told)
		}
	}
}

func TestWrapNeedsACommand(t *testing.T) {
	_, err := Wrap(nil, []string{"-i"}, deadlines)
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Field != "spec.debugger.command" {
		t.Errorf("error %v, want an InvalidError of spec.debugger.command", err)
	}
}

// What the session wrote is expanded by the kubelet as it would be without the wrapper, and the script not at all.
func TestWrapThroughTheKubelet(t *testing.T) {
	variables := map[string]string{"NAME": "checkout", "now": "broken", "mine": "broken", "$": "broken"}
	for _, word := range []string{"$(NAME)", "$$(NAME)", "$$$(NAME)", "$(OTHER)", "$HOME", "$$", "$", "a$", "$(NAME", "$()", "é$(NAME)$$"} {
		got, err := Wrap([]string{"echo", word}, nil, deadlines)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i] = kubeletExpands(got[i], variables)
		}
		if want := brief(deadlines.settings() + bare(processesScript+wrapScript)); got[2] != want {
			t.Fatalf("the kubelet changed the script to\n%s", got[2])
		}
		if want := kubeletExpands(word, variables); got[len(got)-1] != want {
			t.Errorf("%q became %q, without the wrapper %q", word, got[len(got)-1], want)
		}
	}
}

// kubeletExpands is the kubelet's expansion of a container's command: $(VAR) is VAR's value if it has one, $$ is $, and
// everything else is itself.
func kubeletExpands(input string, variables map[string]string) string {
	var out strings.Builder
	for input != "" {
		switch {
		case strings.HasPrefix(input, "$$"):
			out.WriteByte('$')
			input = input[2:]
		case strings.HasPrefix(input, "$("):
			end := strings.IndexByte(input, ')')
			if end < 0 {
				out.WriteString("$(")
				input = input[2:]
				continue
			}
			value, known := variables[input[2:end]]
			if !known {
				value = input[:end+1]
			}
			out.WriteString(value)
			input = input[end+1:]
		default:
			out.WriteByte(input[0])
			input = input[1:]
		}
	}
	return out.String()
}

// The reference above is held against cases that Kubernetes documents and tests.
func TestKubeletExpands(t *testing.T) {
	variables := map[string]string{"A": "1", "B": ""}
	for input, want := range map[string]string{
		"$(A)": "1", "$(B)": "", "$$(A)": "$(A)", "$$$(A)": "$1", "$$$$(A)": "$$(A)", "$(C)": "$(C)", "$A": "$A",
		"$": "$", "$$": "$", "$$$": "$$", "$(A": "$(A", "$(A)$(A)": "11", "$(A)$": "1$", "$()": "$()",
	} {
		if got := kubeletExpands(input, variables); got != want {
			t.Errorf("%q became %q, want %q", input, got, want)
		}
	}
}

// The sweep goes through pods/exec, where nothing is expanded, in a URL that proxies may bound.
func TestSweep(t *testing.T) {
	got := KillCommand()
	if len(got) != 4 || got[2] != bare(processesScript+execScript+sweepScript) {
		t.Errorf("got %q", got)
	}
	if size := len(got[2]); size > 4096 {
		t.Errorf("the script is %d bytes long", size)
	}
}

func TestMoveDeadline(t *testing.T) {
	got := MoveDeadline(deadlines.Hard)
	if len(got) != 5 || got[2] != bare(processesScript+execScript+moveScript) || got[4] != "1764000900" {
		t.Errorf("got %q", got)
	}
	if size := len(got[2]); size > 4096 {
		t.Errorf("the script is %d bytes long", size)
	}
}

// A # within a line is not a comment's.
func TestBare(t *testing.T) {
	if got, want := bare("# why\n\n  a=${b#*.}\n    # more\nc # d\n"), "a=${b#*.}\nc # d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
