// Package plaintext is what people are shown in a message: text that somebody else wrote (a debugger, the kubelet, the API server, a webhook,
// a user), made harmless, and what else sentences are made of. Such text may hold any byte, and a terminal that shows it would do what it says. It is pure.
package plaintext

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Clock writes a time as a person reads it in a message.
func Clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Text makes a text of several lines harmless: control characters are shown as their pictures (ESC is ␛), and what is not to be seen is
// replaced: bytes that are no text, and characters that order text anew or have no width. Tabs stay, and lines.
func Text(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.Map(visible, lines[i])
	}
	return strings.Join(lines, "\n")
}

// Line makes one line of a text, as harmless.
func Line(text string) string {
	return strings.Map(visible, strings.Join(strings.Fields(text), " "))
}

func visible(r rune) rune {
	const pictures, deleted = '\u2400', '\u2421'
	switch {
	case r == '\t' || unicode.IsGraphic(r):
		return r
	case r < ' ':
		return pictures + r
	case r == '\x7f':
		return deleted
	}
	return utf8.RuneError
}

// Or lists values as a sentence does: "a, b or c".
func Or[T ~string](values []T) string {
	var list strings.Builder
	for i, value := range values {
		switch i {
		case 0:
		case len(values) - 1:
			list.WriteString(" or ")
		default:
			list.WriteString(", ")
		}
		list.WriteString(string(value))
	}
	return list.String()
}

// JSON writes what a terminal would obey, or show in another order than it is, as JSON's own escapes, so that nothing of a document is
// lost. JSON itself escapes only the first control characters.
func JSON(document string) string {
	if strings.IndexFunc(document, hidden) < 0 {
		return document
	}
	var escaped strings.Builder
	for _, r := range document {
		if !hidden(r) {
			escaped.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&escaped, `\u%04x`, unit)
		}
	}
	return escaped.String()
}

func hidden(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }
