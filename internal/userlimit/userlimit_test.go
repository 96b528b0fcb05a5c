package userlimit

import (
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func TestLimits(t *testing.T) {
	const burst, every = 3, 10 * time.Second
	l := New(Rate{burst, every}, Rate{30, time.Second})
	count := func(user string, tries int, at time.Time) (allowed int) {
		for range tries {
			if ok, _ := l.Allow(ShareOf(user), at); ok {
				allowed++
			}
		}
		return allowed
	}
	if got := count("mallory", 1000, t0); got != burst {
		t.Errorf("mallory is allowed %d times", got)
	}
	if got := count("alice", 1, t0); got != 1 {
		t.Error("alice is not allowed once for mallory's sake")
	}
	if ok, skipped := l.Allow("mallory", t0.Add(every)); !ok || skipped != 1000-burst {
		t.Errorf("later: %t, %d skipped", ok, skipped)
	}
	accounts := 0
	for i := range 100 {
		accounts += count("system:serviceaccount:evil:a"+strings.Repeat("b", i), 1, t0.Add(time.Minute))
	}
	if accounts != burst {
		t.Errorf("the accounts of one namespace are allowed %d times", accounts)
	}
	for i := range 10 * maxUsers {
		l.Allow("user"+strings.Repeat("x", i%977)+string(rune('a'+i%26)), t0)
	}
	if l.users.Len() > maxUsers {
		t.Errorf("%d users are remembered", l.users.Len())
	}
}

// Whom the others leave no room is the next when there is some.
func TestWhoWaitsForTheOthersLosesNothing(t *testing.T) {
	l := New(Rate{1, time.Hour}, Rate{1, time.Second})
	if ok, _ := l.Allow("mallory", t0); !ok {
		t.Fatal("nobody is allowed anything")
	}
	for range 10 {
		if ok, _ := l.Allow("alice", t0); ok {
			t.Fatal("more is allowed than for all together")
		}
	}
	if ok, _ := l.Allow("alice", t0.Add(time.Second)); !ok {
		t.Error("alice is held to what she was not allowed")
	}
}
