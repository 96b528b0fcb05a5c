package retry

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthTellsOfEachChange(t *testing.T) {
	failed := errors.New("connection refused")
	arrives, dead := Verdict{Arrives: true}, Verdict{Dead: true, Message: failed.Error()}
	for name, tc := range map[string]struct {
		tries []error
		want  []Verdict
	}{
		"arrives":                               {[]error{nil, nil}, []Verdict{arrives}},
		"fails at first":                        {[]error{failed, nil}, []Verdict{arrives}},
		"fails now and then":                    {[]error{nil, failed, failed, nil}, []Verdict{arrives}},
		"is dead, and of that is told once":     {[]error{failed, failed, failed, failed}, []Verdict{dead}},
		"arrives, is dead, and arrives again":   {[]error{nil, failed, failed, failed, nil}, []Verdict{arrives, dead, arrives}},
		"nothing is said before there is a try": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var told []Verdict
			h := NewHealth(func(now Verdict) { told = append(told, now) })
			for _, err := range tc.tries {
				h.Count(err)
			}
			if !slices.Equal(told, tc.want) {
				t.Errorf("told %v, want %v", told, tc.want)
			}
		})
	}
}

// A sink that is dead is tried once a minute, one that answers without a pause.
func TestHealthPausesTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []Verdict
		h := NewHealth(func(v Verdict) { said = append(said, v) })
		start := time.Now()
		for range 10 {
			if err := h.Pause(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.Count(http.ErrHandlerTimeout)
		}
		if took := time.Since(start).Round(time.Second); took != (1+2+4+8+16+32+60+60+60)*time.Second {
			t.Errorf("ten tries took %s", took)
		}
		go h.Retry()
		before := time.Now()
		if err := h.Pause(t.Context()); err != nil || time.Since(before) > 0 {
			t.Errorf("after a change it waited %s: %v", time.Since(before), err)
		}
		h.Count(nil)
		if len(said) != 2 || !said[0].Dead || !said[1].Arrives {
			t.Errorf("said: %+v", said)
		}
	})
}
