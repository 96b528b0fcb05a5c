package plan

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What comes from elsewhere (a debugger, the kubelet, the API server, a webhook) may be of any length and hold any byte. A status that
// the API server refuses for it would be tried for ever, and a terminal that shows it would do what it says.

const (
	// maxMessage makes a message fit an event's note of 1,024 bytes.
	maxMessage = 1000

	// maxText is how many characters of a container's termination message or image are kept; the kubelet keeps as much.
	maxText = 4096

	more = "…"
)

// sanitizeMessage makes a message one line that fits a condition and an event's note.
func sanitizeMessage(message string) string {
	message = Printable(strings.Join(strings.FieldsFunc(message, isLineBreak), " "))
	if len(message) <= maxMessage {
		return message
	}
	end := maxMessage - len(more)
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + more
}

// sanitizeText makes a text of several lines harmless, and keeps its last n characters.
func sanitizeText(text string, n int) string {
	for text != "" && !utf8.RuneStart(text[0]) { // it was cut in a character
		text = text[1:]
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = Printable(lines[i])
	}
	characters := []rune(strings.Join(lines, "\n"))
	return string(characters[max(len(characters)-n, 0):])
}

func isLineBreak(r rune) bool { return r == '\n' || r == '\r' }

// Printable shows control characters as their pictures (ESC is ␛) and replaces what is not to be seen: bytes that are no text, and
// characters that order text anew or have no width. Tabs stay.
func Printable(text string) string {
	const pictures, deleted = '\u2400', '\u2421'
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || unicode.IsGraphic(r):
			return r
		case r < ' ':
			return pictures + r
		case r == '\x7f':
			return deleted
		}
		return utf8.RuneError
	}, text)
}

// sanitizeReason makes a reason fit a condition (letters, digits and "_,:", beginning with a letter) and an event (128 bytes).
func sanitizeReason(reason string) string {
	const most, none = 128, "Unknown"
	reason = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == ',', r == ':':
			return r
		}
		return -1
	}, reason)
	reason = strings.TrimLeft(reason, "0123456789_,:")
	reason = strings.TrimRight(reason[:min(len(reason), most)], ",:")
	if reason == "" {
		return none
	}
	return reason
}
