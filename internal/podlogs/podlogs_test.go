package podlogs

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEndOf(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	for name, tc := range map[string]struct{ text, want string }{
		"nothing": {"", ""},
		"little":  {"a\nb\n", "a\nb\n"},
		"much":    {long, long[len(long)-kept:]},
	} {
		for how, reader := range map[string]func(*strings.Reader) (string, error){
			"at once":        func(r *strings.Reader) (string, error) { return endOf(r) },
			"byte by byte":   func(r *strings.Reader) (string, error) { return endOf(iotest.OneByteReader(r)) },
			"end with bytes": func(r *strings.Reader) (string, error) { return endOf(iotest.DataErrReader(r)) },
		} {
			if got, err := reader(strings.NewReader(tc.text)); err != nil || got != tc.want {
				t.Errorf("%s, %s: %d bytes, %v; want %d", name, how, len(got), err, len(tc.want))
			}
		}
	}
	broken := errors.New("broken")
	if _, err := endOf(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

func TestLost(t *testing.T) {
	for log, want := range map[string]bool{
		"unable to retrieve container logs for containerd://0566c674d990": true,
		"unable to retrieve container logs for web: no such pod\n":        false, // a program's words
		"unable to retrieve container logs for 7\nx":                      false,
		"": false,
	} {
		if err := lost(log); (err != nil) != want {
			t.Errorf("%q: %v", log, err)
		}
	}
}
