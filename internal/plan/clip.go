package plan

import (
	"strings"
	"unicode/utf8"
)

// What comes from elsewhere (the kubelet, the API server, a webhook) may be of any length and hold any byte. A status that
// the API server refuses for it would be tried for ever.

// clip makes a message fit a condition, and an event's note of 1,024 bytes.
func clip(message string) string {
	const most, more = 1000, "…"
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= most {
		return message
	}
	end := most - len(more)
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + more
}

// word makes a reason fit a condition (letters, digits and "_,:", beginning with a letter) and an event (128 bytes).
func word(reason string) string {
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
