package v1alpha1

import "time"

// EndWarnings returns when the last warning of the session's end was due until now, and when the next one is, in whole seconds. Zero:
// there is none.
func (s *DebugSessionStatus) EndWarnings(now time.Time) (last, next time.Time) {
	if s.ExpiresAt == nil || s.Class == nil {
		return last, next
	}
	for _, before := range s.Class.EndWarnings {
		due := s.ExpiresAt.Add(-before.Duration).Truncate(time.Second)
		switch {
		case due.After(now) && (next.IsZero() || due.Before(next)):
			next = due
		case !due.After(now) && due.After(last):
			last = due
		}
	}
	return last, next
}
