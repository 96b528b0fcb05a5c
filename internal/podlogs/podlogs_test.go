package podlogs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var ended = time.Date(2026, 11, 27, 21, 18, 9, 0, time.UTC)

// at is a log as a kubelet has it, whose lines were written so long after the second in which the run ended.
func at(after time.Duration, text string) string {
	var log strings.Builder
	for line := range strings.Lines(text) {
		log.WriteString(ended.Add(after).Format(time.RFC3339Nano) + " " + line)
	}
	return log.String()
}

func TestEndOf(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	again := strings.Repeat("0123456789\n", 1000)
	for name, tc := range map[string]struct{ log, want, fails string }{
		"nothing":                        {"", "", ""},
		"little":                         {at(0, "a\nb\n"), "a\nb\n", ""},
		"no line break at its end":       {at(0, "a\nb"), "a\nb", ""},
		"empty lines":                    {at(0, "a\n\n\nb\n"), "a\n\n\nb\n", ""},
		"a long line":                    {at(0, long), long[len(long)-kept:], ""},
		"many lines":                     {at(0, again), again[len(again)-kept:], ""},
		"in the second of the end":       {at(900*time.Millisecond, "a\n"), "a\n", ""},
		"of a later run":                 {at(time.Second, "b\nc\n"), "", "its container was started again"},
		"of both":                        {at(0, "a\n") + at(2*time.Second, "b\n"), "a\n", ""},
		"a long line of a later run":     {at(0, "a\n") + at(2*time.Second, long+"\n"), "a\n", ""},
		"a container that was removed":   {"unable to retrieve container logs for containerd://0566c674d990", "", "the kubelet says: unable to retrieve container logs for containerd://0566c674d990"},
		"a log that was removed":         {"failed to try resolving symlinks in path \"/var/log/0.log\": no such file or directory", "", "the kubelet says: failed to try resolving"},
		"the same, as a program's words": {at(0, "failed to try resolving symlinks\n"), "failed to try resolving symlinks\n", ""},
		"a kubelet's words at the end":   {at(0, "a\n") + "failed to read the log", "a\n", ""},
	} {
		for how, reader := range map[string]func(*strings.Reader) (string, error){
			"at once":        func(r *strings.Reader) (string, error) { return endOf(r, ended) },
			"byte by byte":   func(r *strings.Reader) (string, error) { return endOf(iotest.OneByteReader(r), ended) },
			"end with bytes": func(r *strings.Reader) (string, error) { return endOf(iotest.DataErrReader(r), ended) },
		} {
			got, err := reader(strings.NewReader(tc.log))
			if got != tc.want || (err != nil) != (tc.fails != "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("%s, %s: %d bytes, %.60q, %v; want %d", name, how, len(got), got, err, len(tc.want))
			}
		}
	}
	if got, err := endOf(strings.NewReader(at(time.Hour, "a\n")), time.Time{}); got != "a\n" || err != nil {
		t.Errorf("of the only run: %q, %v", got, err)
	}
	broken := errors.New("broken")
	if _, err := endOf(iotest.ErrReader(broken), ended); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// Of a container that is started again at once, what is read is the run that is meant.
func TestEndOfARun(t *testing.T) {
	const none = "previous terminated container \"debugger\" in pod \"copy\" not found"
	for name, tc := range map[string]struct {
		previous, current string // empty: there is none
		ended             time.Time
		want, fails       string
		asks              []string
	}{
		"the only one":              {current: at(0, "a\n"), want: "a\n", asks: []string{"current"}},
		"started again":             {previous: at(0, "a\n"), current: at(time.Second, "b\n"), ended: ended, want: "a\n", asks: []string{"previous"}},
		"not started again yet":     {current: at(0, "a\n"), ended: ended, want: "a\n", asks: []string{"previous", "current"}},
		"started again in between":  {current: at(2*time.Second, "b\n"), ended: ended, fails: "started again", asks: []string{"previous", "current"}},
		"started again, and ended":  {previous: at(3*time.Second, "b\n"), current: at(5*time.Second, "c\n"), ended: ended, fails: "started again", asks: []string{"previous"}},
		"it is not to be had":       {ended: ended, fails: "not found", asks: []string{"previous", "current"}},
		"the only one has no log":   {fails: "not found", asks: []string{"current"}},
		"its log is gone meanwhile": {previous: "failed to open log file \"0.log\"", ended: ended, fails: "the kubelet says", asks: []string{"previous"}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				which, log := "current", tc.current
				if r.URL.Query().Get("previous") == "true" {
					which, log = "previous", tc.previous
				}
				asked = append(asked, which)
				if log == "" {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(http.StatusBadRequest)
					_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"BadRequest","code":400,"message":%q}`, none)
					return
				}
				_, _ = w.Write([]byte(log))
			}))
			defer server.Close()
			reader := New(kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL}))
			got, err := reader.End(context.Background(), types.NamespacedName{Namespace: "shop", Name: "copy"}, "debugger", tc.ended)
			if got != tc.want || (err != nil) != (tc.fails != "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("%q, %v", got, err)
			}
			if !slices.Equal(asked, tc.asks) {
				t.Errorf("asked for %q, want %q", asked, tc.asks)
			}
		})
	}
}
