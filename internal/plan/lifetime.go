package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	// DefaultTTL is how long a session lasts that does not say.
	DefaultTTL = 30 * time.Minute

	// MaxTTL is the longest a session may last, and so the furthest its end can be moved.
	MaxTTL = 24 * time.Hour

	// StartTimeout is how long a session waits for its target, and then again for its debugger to run.
	StartTimeout = 5 * time.Minute

	// recheck is how often a debugger that resists its end is looked at again, beside being watched.
	recheck = 15 * time.Second
)

// lifetime is when a session begins and ends. All times are whole seconds, as the API keeps them.
type lifetime struct {
	started, expires, hard time.Time
}

// begin computes the lifetime of a session admitted now.
func begin(spec *v1alpha1.DebugSessionSpec, now time.Time) lifetime {
	started := now.UTC().Truncate(time.Second)
	return lifetime{
		started: started,
		expires: expiry(spec, started, time.Time{}),
		hard:    notAfter(spec, started.Add(MaxTTL)),
	}
}

// expiry is when a session ends by itself: never past notAfter, and never past the hard deadline once there is one.
func expiry(spec *v1alpha1.DebugSessionSpec, started, hard time.Time) time.Time {
	ttl := DefaultTTL
	if spec.TTL != nil {
		ttl = spec.TTL.Duration
	}
	end := notAfter(spec, started.Add(ttl).Truncate(time.Second))
	if !hard.IsZero() && end.After(hard) {
		return hard
	}
	return end
}

func notAfter(spec *v1alpha1.DebugSessionSpec, end time.Time) time.Time {
	if spec.NotAfter != nil && spec.NotAfter.Time.Before(end) {
		return spec.NotAfter.UTC().Truncate(time.Second)
	}
	return end
}

// startBy is when an admitted session's debugger must run. A debugger that starts later ends itself.
func startBy(status *v1alpha1.DebugSessionStatus) time.Time {
	by := status.StartedAt.Add(StartTimeout)
	if status.ExpiresAt.Time.Before(by) {
		return status.ExpiresAt.Time
	}
	return by
}

func passed(deadline *metav1.Time, now time.Time) bool {
	return deadline != nil && !now.Before(deadline.Time)
}

func timestamp(t time.Time) *metav1.Time {
	at := metav1.NewTime(t.UTC().Truncate(time.Second))
	return &at
}

// clock writes a time as a person reads it in a message.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
