package debugsession

import (
	"testing"
	"time"
)

func TestClockJump(t *testing.T) {
	began := time.Now()
	for name, tc := range map[string]struct {
		day, awake time.Duration
		jumped     bool
	}{
		"none":              {10 * time.Second, 10 * time.Second, false},
		"a late look":       {time.Hour, time.Hour, false},
		"corrected by NTP":  {11 * time.Second, 10 * time.Second, false},
		"set forward":       {time.Hour, 10 * time.Second, true},
		"the machine slept": {8 * time.Hour, time.Second, true},
		"set back":          {-time.Hour, 10 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			var s clockMonitor
			if s.jumped(began, began) {
				t.Error("jumped before it was looked at twice")
			}
			day := began.Round(0).Add(tc.day)
			if jumped := s.jumped(day, began.Add(tc.awake)); jumped != tc.jumped {
				t.Errorf("jumped: %t", jumped)
			}
			if s.jumped(day.Add(time.Second), began.Add(tc.awake+time.Second)) {
				t.Error("one jump is seen twice")
			}
		})
	}
}
