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

// endOf reads all there is of a log with timestamps, and returns the end of it without them. What was written after the second in
// which a run ended is another run's.
func endOf(from io.Reader, ended time.Time) (string, error) {
	var end []byte
	var read lines
	buffered := bufio.NewReader(from)
	for {
		piece, err := buffered.ReadSlice('\n') // a line, or a part of one that is longer than the buffer
		text, foreign := read.next(piece, ended)
		if foreign != nil {
			return "", foreign
		}
		end = append(end, text...)
		end = end[max(len(end)-kept, 0):]
		switch {
		case errors.Is(err, io.EOF) && read.others > 0 && read.own == 0:
			return "", errors.New("its container was started again, and has lost it")
		case errors.Is(err, io.EOF):
			return string(end), nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

// lines goes through the lines of a log.
type lines struct {
	own, others int  // how many are of the run that is meant, and how many of later ones
	within      bool // the next piece goes on with the last line
	skip        bool // which is not of the run that is meant
}

// next is what a piece has of the run that is meant. A line without a timestamp is no program's: a kubelet answers with words of its own,
// as it does with success when its runtime has removed the container. They are an error if there is nothing else.
func (l *lines) next(piece []byte, ended time.Time) ([]byte, error) {
	if len(piece) == 0 {
		return nil, nil
	}
	text, begins := piece, !l.within
	l.within = piece[len(piece)-1] != '\n'
	if begins {
		at, rest, written := timestamped(piece)
		switch {
		case !written && l.own+l.others == 0:
			return nil, fmt.Errorf("the kubelet says: %s", strings.ToValidUTF8(string(bytes.TrimSpace(piece[:min(len(piece), maxWords)])), ""))
		case !written:
			l.skip = true
		case !ended.IsZero() && !at.Before(ended.Add(time.Second)):
			l.skip = true
			l.others++
		default:
			l.skip = false
			l.own++
		}
		text = rest
	}
	if l.skip {
		return nil, nil
	}
	return text, nil
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
