package transcript

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// longestStamp is how long a timestamp can be, in bytes.
	longestStamp = len("2006-01-02T15:04:05.000000000+07:00 ")

	// maxWords is how much is told of what a kubelet said instead of a log, in bytes.
	maxWords = 200
)

// Chunk is a piece of one line of a log, its newline included. It is cut in no character.
type Chunk struct {
	At   time.Time
	Data []byte
}

// ForeignError is that a kubelet says something in words of its own where a line should be.
type ForeignError struct{ Words string }

func (e *ForeignError) Error() string { return "the kubelet says: " + e.Words }

// Log takes a log apart that comes in pieces, and leaves out what was read before: of a log that is read again from some second on.
type Log struct {
	from, read Cursor
	met        int  // lines of the time of from, in this log
	gap        bool // what from stands for is not in this log any more

	head  []byte    // of a line whose timestamp is not whole yet
	at    time.Time // of the line
	begun bool      // the line's timestamp was read
	known bool      // the line was read before
	drop  int64     // bytes of the line that were read before
	held  []byte    // a character that is not whole yet
	first bool      // a line was met that was not read before
}

// NewLog returns one that goes on from a cursor; the zero cursor is the log's beginning.
func NewLog(from Cursor) *Log { return &Log{from: from, read: from} }

// Cursor is how far the log was handed over.
func (l *Log) Cursor() Cursor { return l.read }

// Gap reports whether the log does not go on where the one before it ended: its node has removed lines that nobody has read.
func (l *Log) Gap() bool { return l.gap }

// Add takes the next bytes, and hands over what is new. The data of a chunk may be used until each returns. A *ForeignError is its error.
func (l *Log) Add(bytesRead []byte, each func(Chunk)) error {
	for len(bytesRead) > 0 {
		if !l.begun {
			rest, err := l.begin(bytesRead)
			if err != nil {
				return err
			}
			bytesRead = rest
			continue
		}
		piece, ends := bytesRead, false
		if end := bytes.IndexByte(bytesRead, '\n'); end >= 0 {
			piece, ends = bytesRead[:end+1], true
		}
		bytesRead = bytesRead[len(piece):]
		if !l.known {
			l.take(piece, ends, each)
		}
		if ends {
			l.end()
		}
	}
	return nil
}

// Rest hands over what was held back of a log that is over.
func (l *Log) Rest(each func(Chunk)) {
	if l.begun && !l.known && len(l.held) > 0 {
		l.take(nil, true, each)
	}
}

// begin reads the timestamp that a line begins with, as far as it is there.
func (l *Log) begin(piece []byte) (rest []byte, err error) {
	end := bytes.IndexAny(piece, " \n")
	if end < 0 && len(l.head)+len(piece) < longestStamp {
		l.head = append(l.head, piece...)
		return nil, nil
	}
	if end < 0 {
		end = len(piece) - 1
	}
	stamp := slices.Concat(l.head, piece[:end+1])
	at, err := time.Parse(time.RFC3339Nano+" ", string(stamp))
	if err != nil {
		words := slices.Concat(stamp, piece[end+1:])
		return nil, &ForeignError{strings.ToValidUTF8(string(bytes.TrimSpace(words[:min(len(words), maxWords)])), "")}
	}
	l.head = l.head[:0]
	l.meet(at.UTC())
	return piece[end+1:], nil
}

// meet finds out whether a line was read before, and how much of it.
func (l *Log) meet(at time.Time) {
	l.at, l.begun, l.known, l.drop = at, true, at.Before(l.from.At), 0
	if at.Equal(l.from.At) {
		l.met++
		l.known = l.met <= l.from.Lines
		if l.met == l.from.Lines+1 {
			l.drop = l.from.Within
		}
	}
	if l.known {
		return
	}
	if !l.first {
		l.first = true
		l.gap = !l.from.At.IsZero() && !at.Equal(l.from.At) && (l.met < l.from.Lines || l.from.Within > 0)
	}
	// What two streams wrote at almost the same time may be in any order: the cursor never goes back.
	if at.After(l.read.At) {
		l.read = Cursor{At: at}
	}
}

// take hands over a piece of a line, without what was read before, and without a character that is not whole yet.
func (l *Log) take(piece []byte, ends bool, each func(Chunk)) {
	dropped := min(l.drop, int64(len(piece)))
	l.drop -= dropped
	data := piece[dropped:]
	if len(l.held) > 0 {
		data = slices.Concat(l.held, data)
	}
	whole := len(data)
	if !ends {
		whole -= unfinished(data)
	}
	if whole > 0 {
		each(Chunk{At: l.at, Data: data[:whole]})
		if l.at.Equal(l.read.At) {
			l.read.Within += int64(whole)
		}
	}
	l.held = append([]byte(nil), data[whole:]...)
}

func (l *Log) end() {
	if !l.known && l.at.Equal(l.read.At) {
		l.read.Lines++
		l.read.Within = 0
	}
	l.begun = false
}

// unfinished is how many bytes at the end of data may belong to a character of which more is to come, or to the end of a line.
func unfinished(data []byte) int {
	if n := len(data); n > 0 && data[n-1] == '\r' {
		return 1
	}
	for n := 1; n <= min(utf8.UTFMax-1, len(data)); n++ {
		if tail := data[len(data)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// String names a cursor in a log.
func (c Cursor) String() string {
	return fmt.Sprintf("%s, %d lines and %d bytes", c.At.Format(time.RFC3339Nano), c.Lines, c.Within)
}
