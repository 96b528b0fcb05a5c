package transcript

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"debugsession.dev/operator/api/v1alpha1"
)

func chunk(after time.Duration, data string) Chunk { return Chunk{began.Add(after), []byte(data)} }

func TestCast(t *testing.T) {
	e := NewEncoder(v1alpha1.TranscriptCast, "shop/hang")
	var cast []byte
	for _, c := range []Chunk{chunk(0, "/ # ls\r\n"), chunk(90*time.Second, "\x1b[31m<red>\xff\r\n"), chunk(89*time.Second, "late\n")} {
		cast = e.Append(cast, c)
	}
	want := `{"version":2,"width":80,"height":24,"timestamp":1795874400,"title":"shop/hang"}
[0.123456,"o","/ # ls\r\n"]
[90.123456,"o","\u001b[31m<red>\ufffd\r\n"]
[90.123456,"o","late\n"]
`
	if diff := cmp.Diff(want, string(cast)); diff != "" {
		t.Error(diff)
	}
	events, err := Events(cast)
	if err != nil || len(events) != 3 || events[1].Data != "\x1b[31m<red>\ufffd\r\n" ||
		events[1].At.Round(time.Millisecond) != 90123*time.Millisecond {
		t.Errorf("%+v, %v", events, err)
	}
	for _, broken := range []string{"", "{}", `{"version":1}`, string(cast) + "[1]x"} {
		if events, err := Events([]byte(broken)); err == nil {
			t.Errorf("%q: %+v", broken, events)
		}
	}
}

func TestTextIsHarmless(t *testing.T) {
	e := NewEncoder(v1alpha1.TranscriptText, "")
	text := e.Append(nil, chunk(0, "a\r\n\x1b]52;c;aGk=\x07\tb\u202ec\n"))
	if want := "a\n␛]52;c;aGk=␇\tb\ufffdc\n"; string(text) != want {
		t.Errorf("%q, want %q", text, want)
	}
}

// Whatever is printed, a transcript is no longer than it may be, but for the words that it is cut; and those end it.
func TestTranscriptIsBounded(t *testing.T) {
	for _, format := range []v1alpha1.TranscriptFormat{v1alpha1.TranscriptCast, v1alpha1.TranscriptText} {
		e, size := NewEncoder(format, ""), 0
		var last []byte
		for i := range 10_000 {
			added := e.Append(nil, chunk(time.Duration(i)*time.Millisecond, strings.Repeat("\x1b", 16<<10)))
			if size += len(added); len(added) > 0 {
				last = added
			}
		}
		if size > MaxBytes+1<<10 || size < MaxBytes-1<<18 || !e.Cut() ||
			!strings.Contains(string(last), "the transcript is cut here, as it has reached 10 MiB") {
			t.Errorf("%s: %d bytes, cut %v, ends with %.200q", format, size, e.Cut(), last)
		}
	}
}

// Parts that two encoders have made, the second after a restart, are one transcript.
func TestEncoderGoesOn(t *testing.T) {
	chunks := []Chunk{chunk(0, "a\n"), chunk(time.Second, "b\n"), chunk(2500*time.Millisecond, "c\n")}
	for _, format := range []v1alpha1.TranscriptFormat{v1alpha1.TranscriptCast, v1alpha1.TranscriptText} {
		one := NewEncoder(format, "shop/hang")
		var whole []byte
		for _, c := range chunks {
			whole = one.Append(whole, c)
		}
		first := NewEncoder(format, "shop/hang")
		parts := first.Append(nil, chunks[0])
		second := NewEncoder(format, "shop/hang")
		if err := second.Resume(parts, int64(len(parts)), Part{Cursor: Cursor{At: chunks[0].At}}); err != nil {
			t.Fatal(err)
		}
		parts = second.Append(second.Append(parts, chunks[1]), chunks[2])
		if diff := cmp.Diff(string(whole), string(parts)); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
	}
	if err := NewEncoder(v1alpha1.TranscriptCast, "").Resume([]byte("no cast"), 7, Part{}); err == nil {
		t.Error("what is no asciicast is gone on with")
	}
}
