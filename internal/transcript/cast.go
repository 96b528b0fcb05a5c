package transcript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Event is something that was printed, and when: from the beginning of the transcript on.
type Event struct {
	At   time.Duration
	Data string
}

// Events are what an asciicast tells was printed.
func Events(cast []byte) ([]Event, error) {
	first, rest, _ := bytes.Cut(cast, []byte("\n"))
	var head header
	if err := json.Unmarshal(first, &head); err != nil || head.Version != 2 {
		return nil, fmt.Errorf("it is not an asciicast v2")
	}
	var events []Event
	for number, line := range bytes.Split(bytes.TrimSuffix(rest, []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var at float64
		var kind, data string
		if err := json.Unmarshal(line, &[]any{&at, &kind, &data}); err != nil {
			return nil, fmt.Errorf("line %d is not an asciicast event: %w", number+2, err)
		}
		if kind == "o" {
			events = append(events, Event{At: time.Duration(at * float64(time.Second)), Data: data})
		}
	}
	return events, nil
}
