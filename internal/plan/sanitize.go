package plan

import (
	"strings"
	"unicode/utf8"

	"debugsession.dev/operator/internal/plaintext"
)

// What comes from elsewhere may be of any length and hold any byte (see plaintext). A status that the API server refuses for it would be
// tried for ever.

const (
	// maxMessage makes a message fit an event's note of 1,024 bytes.
	maxMessage = 1000

	// maxText is how many characters of a container's termination message or image are kept; the kubelet keeps as much.
	maxText = 4096

	more = "…"
)

// sanitizeMessage makes a message one line that fits a condition and an event's note.
func sanitizeMessage(message string) string {
	message = plaintext.Line(message)
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
	characters := []rune(plaintext.Text(text))
	return string(characters[max(len(characters)-n, 0):])
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
