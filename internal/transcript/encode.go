package transcript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
)

// MaxBytes is how long a transcript may be. What a debugger prints after that is not kept.
const MaxBytes = 10 << 20

// What an asciicast says of the terminal: nobody knows how large it was.
const (
	columns = 80
	rows    = 24
)

// cutHere is what a transcript ends with that was cut off.
var cutHere = fmt.Sprintf("[debugsession: the transcript is cut here, as it has reached %d MiB]", MaxBytes>>20)

// Encoder makes a transcript of the chunks of a log.
type Encoder struct {
	format v1alpha1.TranscriptFormat
	title  string
	base   time.Time // what an asciicast's times count from
	last   time.Time // of the last chunk
	size   int64
	cut    bool
}

// NewEncoder returns one whose transcript is empty.
func NewEncoder(format v1alpha1.TranscriptFormat, title string) *Encoder {
	return &Encoder{format: format, title: title}
}

// Resume has it go on with a transcript of which there are parts already: of that size, the first beginning with that text.
func (e *Encoder) Resume(first []byte, size int64, last Part) error {
	e.size, e.cut, e.last = size, last.Cut, last.Cursor.At
	if e.format == v1alpha1.TranscriptCast {
		line, _, _ := bytes.Cut(first, []byte("\n"))
		var head header
		if err := json.Unmarshal(line, &head); err != nil {
			return fmt.Errorf("its first line is not an asciicast header: %w", err)
		}
		e.base = time.Unix(head.Timestamp, 0).UTC()
	}
	return nil
}

// Cut reports whether the transcript is as long as it may be: nothing is added any more.
func (e *Encoder) Cut() bool { return e.cut }

// Append appends what a chunk adds to the transcript.
func (e *Encoder) Append(to []byte, chunk Chunk) []byte {
	if e.cut {
		return to
	}
	if chunk.At.After(e.last) { // what two streams wrote at almost the same time may be in any order
		e.last = chunk.At
	}
	added := e.encode(string(chunk.Data))
	if e.size+int64(len(added)) > MaxBytes {
		e.cut = true
		added = e.encode("\r\n" + cutHere + "\r\n")
	}
	e.size += int64(len(added))
	return append(to, added...)
}

func (e *Encoder) encode(data string) []byte {
	if e.format != v1alpha1.TranscriptCast {
		return []byte(plaintext.Text(data))
	}
	var out []byte
	if e.size == 0 {
		e.base = e.last.Truncate(time.Second)
		out = line(header{Version: 2, Width: columns, Height: rows, Timestamp: e.base.Unix(), Title: e.title})
	}
	return append(out, line([]any{seconds(e.last.Sub(e.base)), "o", data})...)
}

// header is the first line of an asciicast.
type header struct {
	Version   int    `json:"version"`
	Width     int    `json:"width"`
	Height    int    `json:"height"`
	Timestamp int64  `json:"timestamp"`
	Title     string `json:"title,omitempty"`
}

// seconds is a time in an asciicast, to the microsecond.
func seconds(since time.Duration) json.Number {
	since = max(since, 0)
	return json.Number(fmt.Sprintf("%d.%06d", since/time.Second, since%time.Second/time.Microsecond))
}

func line(what any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(what); err != nil {
		panic(err) // plain data
	}
	return text.Bytes()
}
