package plaintext_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"debugsession.dev/operator/internal/plaintext"
)

// hostile is a text that would do something to a terminal, or read as something else than it is.
const hostile = "a\x1b[31mred\x1b]0;title\x07 \u009b2J\u202eevil\u2066 \u200b\ufeff\x00\x7f\xff\xfe\rb\r\nc\x08\td\u2028\v\f"

func TestTextIsShownAndHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"two\r\nlines\tand a tab\n":        "two\nlines\tand a tab\n",
		"\xa4\x1b[31mred\x1b[0m\u202e\x00": "\ufffd\u241b[31mred\u241b[0m\ufffd\u2400",
		"over\rwritten\x7f":                "over\u240dwritten\u2421",
	} {
		if got := plaintext.Text(text); got != want {
			t.Errorf("Text(%q) is %q, want %q", text, got, want)
		}
	}
	for _, r := range plaintext.Text(hostile) {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
			t.Errorf("Text leaves %U", r)
		}
	}
}

func TestLineIsOneLine(t *testing.T) {
	if got, want := plaintext.Line(" two\r\n\tlines \x1b[2J\n"), "two lines \u241b[2J"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, r := range plaintext.Line(hostile) {
		if !unicode.IsGraphic(r) {
			t.Errorf("Line leaves %U", r)
		}
	}
}

// A document says the same with what is hidden escaped.
func TestJSONLosesNothing(t *testing.T) {
	said := strings.ToValidUTF8(hostile, "") + "\U000e0001"
	document, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	escaped := plaintext.JSON(string(document) + "\n")
	for _, r := range escaped {
		if r != '\n' && !unicode.IsGraphic(r) {
			t.Errorf("JSON leaves %U", r)
		}
	}
	var read string
	if err := json.Unmarshal([]byte(escaped), &read); err != nil || read != said || !utf8.ValidString(escaped) {
		t.Errorf("%q reads as %q: %v", escaped, read, err)
	}
}

func TestOr(t *testing.T) {
	for want, list := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := plaintext.Or(list); got != want {
			t.Errorf("Or(%q) is %q, want %q", list, got, want)
		}
	}
}

func TestClockIsInUTC(t *testing.T) {
	at := time.Date(2026, 11, 27, 13, 25, 48, 5, time.FixedZone("", 3600))
	if got := plaintext.Clock(at); got != "2026-11-27T12:25:48Z" {
		t.Errorf("got %s", got)
	}
}
