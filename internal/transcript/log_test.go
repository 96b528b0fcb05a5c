package transcript

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var began = time.Date(2026, 11, 28, 14, 0, 0, 123456789, time.UTC)

// stamped is a log as a kubelet gives it: of lines, each written some time after the one before it.
func stamped(lines ...string) string {
	var log strings.Builder
	for i, line := range lines {
		log.WriteString(began.Add(time.Duration(i)*time.Second).Format("2006-01-02T15:04:05.000000000Z07:00") + " " + line)
	}
	return log.String()
}

// pieces reads a log in pieces of up to so many bytes, as far as there are, and returns what is new.
func pieces(t *testing.T, log *Log, text string, size int) string {
	t.Helper()
	var out strings.Builder
	for text != "" {
		n := min(size, len(text))
		if err := log.Add([]byte(text[:n]), func(c Chunk) { out.Write(c.Data) }); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	return out.String()
}

func TestLogIsReadWhateverItsPieces(t *testing.T) {
	text := stamped("/ # ls\r\n", "\n", "ä€𝄞\xff\r\n", strings.Repeat("x", 100)+"\n", "no newline")
	want := "/ # ls\r\n\nä€𝄞\xff\r\n" + strings.Repeat("x", 100) + "\nno newline"
	for size := 1; size < len(text); size++ {
		var got strings.Builder
		log := NewLog(Cursor{})
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			err := log.Add([]byte(rest[:n]), func(c Chunk) {
				got.Write(c.Data)
				if strings.Contains(string(c.Data), "\xf0") && !strings.Contains(string(c.Data), "𝄞") {
					t.Fatalf("in pieces of %d a character is cut: %q", size, c.Data)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		log.Rest(func(c Chunk) { got.Write(c.Data) })
		if got.String() != want {
			t.Fatalf("in pieces of %d: %q", size, got.String())
		}
	}
}

// Wherever a stream breaks off, the next one, which begins at the same second, goes on with the next byte.
func TestLogGoesOnWhereItWasRead(t *testing.T) {
	same := began.Format(time.RFC3339Nano) + " "
	text := same + "a\n" + same + "b\n" + same + "ä€ and more\r\n" + stamped("c\n", "d\n", "\r\n", "€\n")
	whole := pieces(t, NewLog(Cursor{}), text, len(text))
	random := rand.New(rand.NewPCG(1, 2))
	for broken := range len(text) {
		log := NewLog(Cursor{})
		got := pieces(t, log, text[:broken], 1+random.IntN(9))
		for range 2 { // it breaks off twice at the same place
			log = NewLog(log.Cursor())
			got += pieces(t, log, text[:broken], 1+random.IntN(9))
		}
		log = NewLog(log.Cursor())
		got += pieces(t, log, text, 1+random.IntN(9))
		if got != whole || log.Gap() {
			t.Fatalf("broken off after %q: %q, gap %v", text[:broken], got, log.Gap())
		}
	}
}

func TestLogTellsOfLinesThatAreGone(t *testing.T) {
	text := stamped("a\n", "b\n", "c\n")
	lines := strings.SplitAfter(text, "\n")
	for name, tc := range map[string]struct {
		read, later string
		want        string
		gap         bool
	}{
		"all there":       {text, text, "", false},
		"one more":        {lines[0], text, "b\nc\n", false},
		"the last is not": {lines[0] + lines[1], lines[2], "c\n", true},
		"part of one":     {lines[0] + lines[1][:len(lines[1])-1], lines[2], "c\n", true},
		"nothing is":      {text, "", "", false},
	} {
		before := NewLog(Cursor{})
		pieces(t, before, tc.read, 7)
		log := NewLog(before.Cursor())
		if got := pieces(t, log, tc.later, 7); got != tc.want || log.Gap() != tc.gap {
			t.Errorf("%s: %q, gap %v", name, got, log.Gap())
		}
	}
}

func TestLogIsNotAKubeletsWords(t *testing.T) {
	const words = "unable to retrieve container logs for containerd://0566c674d990"
	for _, text := range []string{words, words + "\n", stamped("a\n") + words, "2026-11-28T14:00:00Z\n"} {
		for size := 1; size <= len(text); size++ {
			log, rest := NewLog(Cursor{}), text
			var err error
			for rest != "" && err == nil {
				n := min(size, len(rest))
				err = log.Add([]byte(rest[:n]), func(Chunk) {})
				rest = rest[n:]
			}
			var foreign *ForeignError
			if !errors.As(err, &foreign) {
				t.Errorf("%q in pieces of %d: %v", text, size, err)
			}
		}
	}
}

func TestNamesOfParts(t *testing.T) {
	for i, part := range []Part{
		{Number: 1, Cursor: Cursor{At: began, Lines: 1}, Format: "Cast"},
		{Number: 2, Cursor: Cursor{At: began, Lines: 2, Within: 1 << 40}, Format: "Text", Cut: true},
		{Number: 3, Cursor: Cursor{At: time.Unix(0, 1).UTC()}, Format: "Cast", Cut: true},
	} {
		got, ok := ParsePart(part.Name())
		if !ok || got != part {
			t.Errorf("%d: %s is %+v, %v", i, part.Name(), got, ok)
		}
	}
	for _, name := range []string{"", "1-2-3-4.cast", "000001-0000000000000000001-1-0.json", "000001-0000000000000000001-1.cast",
		"a-b-c-d.txt"} {
		if part, ok := ParsePart(name); ok {
			t.Errorf("%q: %+v", name, part)
		}
	}
	if a, b := (Part{Number: 9}).Name(), (Part{Number: 10}).Name(); a >= b {
		t.Errorf("%s comes after %s", a, b)
	}
}

func ExamplePart_Name() {
	fmt.Println(Part{Number: 1, Cursor: Cursor{At: began, Lines: 1}, Format: "Cast"}.Name())
	// Output: 000001-1795874400123456789-1-0.cast
}
