package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
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

// OneLine puts spaces in the place of control characters.
func OneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// Fit cuts a sentence to a number of columns, and control characters out of it.
func Fit(text string, columns int) string {
	text = OneLine(text)
	if columns < 2 || utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns-1]) + "…"
}
