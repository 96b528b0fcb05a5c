package faults

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"time"
)

// stream is the body of a watch's answer, read event by event. What an event says is not looked at.
type stream struct {
	ctx      context.Context
	t        *transport
	name     string
	body     io.ReadCloser
	reader   *bufio.Reader
	protobuf bool
	rest     []byte
	late     bool
}

func newStream(ctx context.Context, t *transport, resource string, response *http.Response) *stream {
	t.mu.Lock()
	late := t.staleAt != ""
	t.mu.Unlock()
	return &stream{
		ctx: ctx, t: t, name: "event-" + resource, body: response.Body, reader: bufio.NewReader(response.Body),
		protobuf: strings.Contains(response.Header.Get("Content-Type"), "protobuf"), late: late,
	}
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		frame, err := s.frame()
		if err != nil {
			return 0, err
		}
		if s.late { // what has happened since the first list comes late
			s.late = false
			s.t.hold(s.ctx)
		}
		if s.t.meets(s.name, true) {
			if s.t.fault.pattern == missedEvent {
				s.t.mu.Lock()
				s.t.heldUntil = time.Now().Add(standstill)
				s.t.mu.Unlock()
				return 0, io.EOF
			}
			s.t.hold(s.ctx)
		}
		s.rest = frame
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// frame is one event: a line of JSON, or a length and as many bytes.
func (s *stream) frame() ([]byte, error) {
	if !s.protobuf {
		return s.reader.ReadBytes('\n')
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(s.reader, head); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(head))
	copy(frame, head)
	_, err := io.ReadFull(s.reader, frame[4:])
	return frame, err
}

func (s *stream) Close() error { return s.body.Close() }
