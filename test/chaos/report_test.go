package main

import (
	"strings"
	"testing"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestTheLastLineCountsWhatIsNotWell(t *testing.T) {
	for _, test := range []struct {
		name string
		rows []row
		line string
		well bool
	}{
		{"all well", []row{{fault: &fault{}, sessions: 2}, {fault: &fault{}, sessions: 3}},
			"2 faults, 5 sessions, 0 leaks, 0 late, 0 wrong\n", true},
		{"a leak", []row{{fault: &fault{}, leaks: []string{"a"}}}, "1 faults, 0 sessions, 1 leaks, 0 late, 0 wrong\n", false},
		{"late", []row{{fault: &fault{}, late: []string{"a", "b"}}}, "1 faults, 0 sessions, 0 leaks, 2 late, 0 wrong\n", false},
		{"wrong", []row{{fault: &fault{}, bad: []string{"a"}}}, "1 faults, 0 sessions, 0 leaks, 0 late, 1 wrong\n", false},
	} {
		var out strings.Builder
		if well := summarise(&out, test.rows); well != test.well || out.String() != test.line {
			t.Errorf("%s: %v, %q; want %v, %q", test.name, well, out.String(), test.well, test.line)
		}
	}
}

func TestAnOutagePutsOffWhatIsDueInIt(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	s := &stage{outages: []outage{{from: at(10), to: at(30)}, {from: at(10), to: at(40), copies: true}}}
	for _, test := range []struct{ wanted, due, copied int }{{9, 9, 9}, {10, 30, 40}, {29, 30, 40}, {30, 30, 40}, {40, 40, 40}} {
		if due := s.due(at(test.wanted), false); !due.Equal(at(test.due)) {
			t.Errorf("what is due at %d is due at %d, want %d", test.wanted, due.Unix(), test.due)
		}
		if due := s.due(at(test.wanted), true); !due.Equal(at(test.copied)) {
			t.Errorf("a copy that is due at %d is due at %d, want %d", test.wanted, due.Unix(), test.copied)
		}
	}
}

func TestQuantile(t *testing.T) {
	var values []time.Duration
	for i := 200; i > 0; i-- {
		values = append(values, time.Duration(i)*time.Second)
	}
	for percent, want := range map[int]time.Duration{50: 100 * time.Second, 99: 198 * time.Second, 100: 200 * time.Second} {
		if got := quantile(values, percent); got != want {
			t.Errorf("quantile %d is %s, want %s", percent, got, want)
		}
	}
	if got := quantile(nil, 99); got >= 0 {
		t.Errorf("of nothing the quantile is %s, want none", got)
	}
}

func TestAnEndedSessionStaysSo(t *testing.T) {
	ended := move{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeExpired}
	for name, test := range map[string]struct {
		moves []move
		wrong bool
	}{
		"ended":        {[]move{{phase: v1alpha1.PhaseActive}, ended}, false},
		"active again": {[]move{ended, {phase: v1alpha1.PhaseActive}}, true},
		"other end":    {[]move{ended, {phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeFailed}}, true},
	} {
		h := &history{moves: test.moves}
		if got := h.settledTwice(); (got != "") != test.wrong {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestEveryFaultIsNamedOnceAndSaysWhatItBreaks(t *testing.T) {
	names := map[string]bool{}
	short := 0
	for _, f := range faults(&options{}) {
		if names[f.name] || f.broken == "" || f.within == 0 || f.run == nil {
			t.Errorf("fault %q is there twice or is not complete", f.name)
		}
		names[f.name] = true
		if f.short {
			short++
		}
	}
	if short == 0 || short == len(names) {
		t.Errorf("%d of %d faults are for CI", short, len(names))
	}
}
