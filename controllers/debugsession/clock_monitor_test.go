package debugsession

import (
	"testing"
	"time"
)

func TestALeapOfTheClockIsSeen(t *testing.T) {
	began := time.Now()
	for name, tc := range map[string]struct {
		day, awake time.Duration
		leapt      bool
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
				t.Error("leapt before it was looked at twice")
			}
			day := began.Round(0).Add(tc.day)
			if leapt := s.jumped(day, began.Add(tc.awake)); leapt != tc.leapt {
				t.Errorf("leapt: %t", leapt)
			}
			if s.jumped(day.Add(time.Second), began.Add(tc.awake+time.Second)) {
				t.Error("one leap is seen twice")
			}
		})
	}
}
