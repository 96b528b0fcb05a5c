package command

import (
	"io"
	"strings"

	"k8s.io/kubectl/pkg/util/term"
)

// coloured reports whether colours belong on an output: on a terminal, unless NO_COLOR is set.
func coloured(out io.Writer) bool { return term.AllowsColorOutput(out) }

// paint returns what puts a text into a colour, by its number, where colours belong.
func paint(out io.Writer, colour string) func(string) string {
	if !coloured(out) {
		return func(text string) string { return text }
	}
	return func(text string) string { return "\033[" + colour + "m" + text + "\033[0m" }
}

// paintDiff gives a unified diff its usual colours.
func paintDiff(out io.Writer, diff string) string {
	added, removed, place := paint(out, "32"), paint(out, "31"), paint(out, "36")
	lines := strings.Split(strings.TrimSuffix(diff, "\n"), "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "+"):
			lines[i] = added(line)
		case strings.HasPrefix(line, "-"):
			lines[i] = removed(line)
		case strings.HasPrefix(line, "@@"):
			lines[i] = place(line)
		}
	}
	return strings.Join(lines, "\n")
}
