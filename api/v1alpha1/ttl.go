package v1alpha1

import "time"

// TTLUnder is how long a session asks to last from its start: its own word, else what its class granted; 0 if neither is known yet.
func (s *DebugSessionSpec) TTLUnder(class *ClassStatus) time.Duration {
	switch {
	case s.TTL != nil:
		return s.TTL.Duration
	case class != nil:
		return class.TTL.Duration
	default:
		return 0
	}
}

// TTL is how long the session asks to last.
func (s *DebugSession) TTL() time.Duration { return s.Spec.TTLUnder(s.Status.Class) }
