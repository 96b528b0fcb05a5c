package story

import (
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// TTL is how long a session lasts from its start: its own word, or its class's; 0 if neither is known yet.
func TTL(session *v1alpha1.DebugSession) time.Duration {
	switch class := session.Status.Class; {
	case session.Spec.TTL != nil:
		return session.Spec.TTL.Duration
	case class != nil:
		return class.TTL.Duration
	default:
		return 0
	}
}
