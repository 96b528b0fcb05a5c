package terminal

import (
	"fmt"
	"io"
	"unicode/utf8"

	"debugsession.dev/operator/internal/plaintext"
)

// Line shows what happens: on a terminal in one line that is written over, elsewhere as plain lines.
type Line struct {
	out   io.Writer
	width func() int // 0 where there is no terminal
	quiet bool
	shown string
}

// Show shows a sentence in place of the last one, and on a terminal the time that goes with it.
func (l *Line) Show(text, timing string) {
	if l.quiet {
		return
	}
	width := l.width()
	switch {
	case width > 0:
		fmt.Fprint(l.out, "\r\033[K"+Fit(text, width-1-len(timing))+timing)
	case l.shown != text:
		fmt.Fprintln(l.out, text)
	}
	l.shown = text
}

// Clear takes the line away.
func (l *Line) Clear() {
	if l.quiet || l.width() == 0 || l.shown == "" {
		return
	}
	fmt.Fprint(l.out, "\r\033[K")
	l.shown = ""
}

// Say writes a sentence that stays.
func (l *Line) Say(text string) {
	if l.quiet {
		return
	}
	l.Clear()
	fmt.Fprintln(l.out, text)
}

// Fit makes one harmless line of a sentence, and cuts it to a number of columns.
func Fit(text string, columns int) string {
	text = plaintext.Line(text)
	if columns < 2 || utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns-1]) + "…"
}
