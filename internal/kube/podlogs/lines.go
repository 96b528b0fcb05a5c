package podlogs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxWords is how much is told of what a kubelet said instead of a log, in bytes.
const maxWords = 200

// ends are the ends of what was written in the run that is meant, and in later ones.
type ends struct{ own, later []byte }

// endsOf reads all there is of a log with timestamps, and returns the end of it without them. What was written after the second in
// which a run ended is another run's; if that is zero there is no other.
func endsOf(from io.Reader, ended time.Time) (ends, error) {
	read := lines{ended: ended}
	buffered := bufio.NewReader(from)
	for {
		piece, err := buffered.ReadSlice('\n') // a line, or a part of one that is longer than the buffer
		if foreign := read.add(piece); foreign != nil {
			return ends{}, foreign
		}
		switch {
		case errors.Is(err, io.EOF):
			return read.ends, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return ends{}, err
		}
	}
}

// lines goes through the lines of a log.
type lines struct {
	ended  time.Time
	ends   ends
	into   *[]byte // where the last line belongs; nil: nowhere
	begun  bool    // there was a line
	within bool    // the next piece goes on with the last line
}

// add takes a piece to where it belongs. A line without a timestamp is no program's: a kubelet answers with words of its own, as it
// does with success when its runtime has removed the container. They are an error if they come first.
func (l *lines) add(piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	begins := !l.within
	l.within = piece[len(piece)-1] != '\n'
	if begins {
		at, rest, written := timestamped(piece)
		switch {
		case !written && !l.begun:
			return fmt.Errorf("the kubelet says: %s", strings.ToValidUTF8(string(bytes.TrimSpace(piece[:min(len(piece), maxWords)])), ""))
		case !written:
			l.into = nil
		case !l.ended.IsZero() && !at.Before(l.ended.Add(time.Second)):
			l.into = &l.ends.later
		default:
			l.into = &l.ends.own
		}
		piece, l.begun = rest, true
	}
	if l.into != nil {
		*l.into = append(*l.into, piece...)
		*l.into = (*l.into)[max(len(*l.into)-kept, 0):]
	}
	return nil
}

// timestamped takes a line's timestamp off it.
func timestamped(line []byte) (at time.Time, rest []byte, ok bool) {
	stamp, rest, found := bytes.Cut(line, []byte(" "))
	if !found {
		return at, line, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	return at, rest, err == nil
}
