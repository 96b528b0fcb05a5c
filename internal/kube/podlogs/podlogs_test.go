package podlogs

import (
	"context"
	"errors"
	"fmt"
	"io"
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

func TestEndsOf(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	again := strings.Repeat("0123456789\n", 1000)
	for name, tc := range map[string]struct{ log, own, later, fails string }{
		"nothing":                    {},
		"little":                     {log: at(0, "a\nb\n"), own: "a\nb\n"},
		"no line break at its end":   {log: at(0, "a\nb"), own: "a\nb"},
		"empty lines":                {log: at(0, "a\n\n\nb\n"), own: "a\n\n\nb\n"},
		"a long line":                {log: at(0, long), own: long[len(long)-kept:]},
		"many lines":                 {log: at(0, again), own: again[len(again)-kept:]},
		"in the second of the end":   {log: at(900*time.Millisecond, "a\n"), own: "a\n"},
		"of a later run":             {log: at(time.Second, "b\nc\n"), later: "b\nc\n"},
		"of both":                    {log: at(0, "a\n") + at(2*time.Second, "b\n"), own: "a\n", later: "b\n"},
		"a long line of a later run": {log: at(0, "a\n") + at(2*time.Second, long), own: "a\n", later: long[len(long)-kept:]},
		"a container that was removed": {
			log:   "unable to retrieve container logs for containerd://0566c674d990",
			fails: "the kubelet says: unable to retrieve container logs for containerd://0566c674d990",
		},
		"a log that was removed": {
			log:   "failed to try resolving symlinks in path \"/var/log/0.log\": no such file or directory",
			fails: "the kubelet says: failed to try resolving",
		},
		"the same, as a program's words": {log: at(0, "failed to try resolving symlinks\n"), own: "failed to try resolving symlinks\n"},
		"a kubelet's words at the end":   {log: at(0, "a\n") + "failed to read the log", own: "a\n"},
	} {
		for how, reader := range map[string]func(io.Reader) io.Reader{
			"at once":        func(r io.Reader) io.Reader { return r },
			"byte by byte":   iotest.OneByteReader,
			"end with bytes": iotest.DataErrReader,
		} {
			got, err := endsOf(reader(strings.NewReader(tc.log)), ended)
			if string(got.own) != tc.own || string(got.later) != tc.later || (err != nil) != (tc.fails != "") ||
				err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("%s, %s: %.60q and %.60q, %v", name, how, got.own, got.later, err)
			}
		}
	}
	if got, err := endsOf(strings.NewReader(at(time.Hour, "a\n")), time.Time{}); string(got.own) != "a\n" || err != nil {
		t.Errorf("of the only run: %q, %v", got.own, err)
	}
	broken := errors.New("broken")
	if _, err := endsOf(iotest.ErrReader(broken), ended); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// Of a container that is started again at once, what is read is the run that is meant.
func TestEndOfARun(t *testing.T) {
	const silent, gone = "silent", "unable to retrieve container logs for containerd://0566c674d990"
	const none = "previous terminated container \"debugger\" in pod \"copy\" not found"
	for name, tc := range map[string]struct {
		previous, current string // empty: there is none
		ended             time.Time
		want, fails       string
		asks              []string
	}{
		"the only one":          {current: at(0, "a\n"), want: "a\n", asks: []string{"current"}},
		"not started again yet": {current: at(0, "a\n"), ended: ended, want: "a\n", asks: []string{"current"}},
		"started again": {
			previous: at(0, "a\n"),
			current:  at(time.Second, "b\n"),
			ended:    ended,
			want:     "a\n",
			asks:     []string{"current", "previous"},
		},
		"which wrote nothing yet": {
			previous: at(0, "a\n"),
			current:  silent,
			ended:    ended,
			want:     "a\n",
			asks:     []string{"current", "previous"},
		},
		"its log is removed": {
			previous: "failed to open log file \"0.log\"",
			current:  at(2*time.Second, "b\n"),
			ended:    ended,
			want:     "b\n",
			asks:     []string{"current", "previous"},
		},
		"twice": {
			previous: at(3*time.Second, "b\n"),
			current:  at(5*time.Second, "c\n"),
			ended:    ended,
			want:     "c\n",
			asks:     []string{"current", "previous"},
		},
		"the current is not there": {previous: at(0, "a\n"), ended: ended, want: "a\n", asks: []string{"current", "previous"}},
		"it wrote nothing":         {current: silent, ended: ended, asks: []string{"current", "previous"}},
		"neither is there":         {ended: ended, fails: "not found", asks: []string{"current", "previous"}},
		"both are removed": {
			previous: gone,
			current:  gone,
			ended:    ended,
			fails:    "the kubelet says",
			asks:     []string{"current", "previous"},
		},
		"the only one has no log": {fails: "not found", asks: []string{"current"}},
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
					_, _ = fmt.Fprintf(w,
						`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"BadRequest","code":400,"message":%q}`, none)
					return
				}
				if log != silent {
					_, _ = w.Write([]byte(log))
				}
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
