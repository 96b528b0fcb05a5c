package main

import (
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
	"time"
)

// screen is what a terminal shows, as far as kubectl dbg and a shell write it: lines, without colours.
type screen struct {
	rows    [rows][]rune
	x, y    int
	partial string // an escape sequence whose end has not come yet
}

// sequences are what moves no cursor and erases nothing, but for K, which erases to the end of the line.
var sequences = regexp.MustCompile(`^\x1b(\[[0-?]*[\x20-\x2f]*([\x40-\x7e])|\][^\x07\x1b]*(\x07|\x1b\\)|[\x30-\x5a\x5e-\x7e])`)

func (s *screen) write(text string) {
	text = s.partial + text
	s.partial = ""
	for text != "" {
		if text[0] == '\x1b' {
			found := sequences.FindStringSubmatch(text)
			if found == nil {
				s.partial = text
				return
			}
			if found[2] == "K" {
				s.rows[s.y] = s.rows[s.y][:min(s.x, len(s.rows[s.y]))]
			}
			text = text[len(found[0]):]
			continue
		}
		for _, r := range text {
			s.put(r)
			text = text[len(string(r)):]
			break
		}
	}
}

func (s *screen) put(r rune) {
	switch {
	case r == '\r':
		s.x = 0
	case r == '\b':
		s.x = max(0, s.x-1)
	case r == '\n':
		s.down()
	case r < ' ':
	default:
		if s.x == columns {
			s.x = 0
			s.down()
		}
		row := s.rows[s.y]
		for len(row) <= s.x {
			row = append(row, ' ')
		}
		row[s.x] = r
		s.rows[s.y] = row
		s.x++
	}
}

func (s *screen) down() {
	s.y++
	if s.y < rows {
		return
	}
	s.y = rows - 1
	copy(s.rows[:], s.rows[1:])
	s.rows[s.y] = nil
}

// shown is a line of the screen for as long as it was to be seen.
type shown struct {
	row      int
	text     string
	from, to time.Duration
}

// film is what was to be seen, line by line.
func film(events []event, length time.Duration) []shown {
	var (
		s     screen
		lines []shown
		now   [rows]shown
	)
	see := func(at time.Duration) {
		for y := range rows {
			text := strings.TrimRight(string(s.rows[y]), " ")
			if text == now[y].text {
				continue
			}
			if now[y].text != "" && now[y].from < at {
				now[y].to = at
				lines = append(lines, now[y])
			}
			now[y] = shown{row: y, text: text, from: at}
		}
	}
	for _, e := range events {
		s.write(e.text)
		see(e.at)
	}
	s = screen{}
	see(length)
	return lines
}

const (
	lineHeight, charWidth = 18, 8.45
	margin                = 14

	// again is how long the last picture stays before it begins anew.
	again = 4 * time.Second
)

// svg is a recording at the speed at which it happened. Where nothing moves it shows the last picture.
func svg(events []event) string {
	length := events[len(events)-1].at + again
	width, height := int(columns*charWidth)+2*margin, rows*lineHeight+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 %d %d" role="img" aria-label="kubectl dbg in a terminal">
<!-- Recorded by make recording, at its real speed. -->
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d8dee9;white-space:pre}</style>
<rect width="100%%" height="100%%" rx="6" fill="#1f2430"><set id="t" attributeName="rx" to="6" begin="0s;t.end" dur="%s"/></rect>
`, width, height, seconds(length))
	for _, line := range film(events, length) {
		hidden, set := ` visibility="hidden"`, fmt.Sprintf(`to="visible" begin="t.begin+%s" dur=%q`, seconds(line.from), seconds(line.to-line.from))
		if line.to == length {
			hidden, set = "", fmt.Sprintf(`to="hidden" begin="t.begin" dur=%q`, seconds(line.from))
		}
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\"%s>%s<set attributeName=\"visibility\" %s/></text>\n", margin, margin+(line.row+1)*lineHeight-5, hidden, html.EscapeString(line.text), set)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

func writeSVG(path string, events []event) error {
	return os.WriteFile(path, []byte(svg(events)), 0o644)
}
