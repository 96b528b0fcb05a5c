package story

import (
	"strings"
	"unicode"
)

// Plain makes text that somebody else wrote harmless on a terminal: nothing in it moves the cursor, changes colours or the order in
// which characters are read.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case !unicode.IsPrint(r) && !unicode.IsSpace(r), r == '\r':
			return unicode.ReplacementChar
		default:
			return r
		}
	}, text)
}
