package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestScreen(t *testing.T) {
	for name, test := range map[string]struct{ written, want string }{
		"lines":                       {"one\r\ntwo", "one\ntwo"},
		"a line that is written over": {"waits, 12s\r\033[Kin web", "in web"},
		"what is erased":              {"abc\b\033[K", "ab"},
		"colours and questions":       {"\033[1;32mgreen\033[0m\033[6n\033[?2004h\033]0;title\007!", "green!"},
		"a line that is too long":     {strings.Repeat("x", columns+1), strings.Repeat("x", columns) + "\nx"},
		"more lines than there are":   {strings.Repeat("x\r\n", rows) + "last", strings.Repeat("x\n", rows-1) + "last"},
	} {
		var s screen
		for i := range test.written { // as it comes: byte by byte
			s.write(test.written[i : i+1])
		}
		var got []string
		for _, row := range s.rows[:s.y+1] {
			got = append(got, string(row))
		}
		if strings.Join(got, "\n") != test.want {
			t.Errorf("%s: %q, want %q", name, strings.Join(got, "\n"), test.want)
		}
	}
}

func TestSVG(t *testing.T) {
	drawn := svg([]event{{0, "$ "}, {time.Second, "a<b"}, {2 * time.Second, "\r\n$ "}})
	decoder := xml.NewDecoder(strings.NewReader(drawn))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`visibility="hidden">$<set attributeName="visibility" to="visible" begin="t.begin+0.00s" dur="1.00s"/>`,
		`>$ a&lt;b<set attributeName="visibility" to="hidden" begin="t.begin" dur="1.00s"/>`,
	} {
		if !strings.Contains(drawn, want) {
			t.Errorf("no %s in\n%s", want, drawn)
		}
	}
}
