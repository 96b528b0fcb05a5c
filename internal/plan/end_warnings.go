package plan

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
)

// endWarnings are how long before its end the session is warned of it.
func endWarnings(status *v1alpha1.DebugSessionStatus) []time.Duration {
	if status.Class == nil {
		return nil
	}
	warnings := make([]time.Duration, len(status.Class.EndWarnings))
	for i, warning := range status.Class.EndWarnings {
		warnings[i] = warning.Duration
	}
	return warnings
}

// planEndWarning writes down which warning comes next. One whose time has passed already is left out: an end that was moved is told
// by an event of its own.
func (p *pass) planEndWarning() {
	status := p.status()
	status.NextEndWarning = nil
	if _, next := status.EndWarnings(p.Now); !next.IsZero() {
		status.NextEndWarning = timestamp(next)
	}
}

// endWarned sends the warning that is due, and no other. That the next one is written down with it has it sent once, also over a
// restart of the operator. While the debugger has not run there is nothing that anybody could lose: why it has not is what they are told.
func (p *pass) endWarned() step {
	status := p.status()
	if status.NextEndWarning == nil {
		return nil
	}
	if passed(status.NextEndWarning, p.Now) {
		if p.ran() {
			p.event(corev1.EventTypeNormal, v1alpha1.ReasonEndingSoon, fmt.Sprintf("the session ends in %s, at %s%s; %s",
				v1alpha1.FormatDuration(status.ExpiresAt.Sub(p.Now).Round(time.Second)), plaintext.Clock(status.ExpiresAt.Time), p.becauseOfTarget(), p.howToExtend()))
		}
		p.planEndWarning()
	}
	if status.NextEndWarning != nil {
		p.wake(status.NextEndWarning.Time)
	}
	return nil
}

func (p *pass) howToExtend() string {
	status := p.status()
	if most := status.HardDeadline; most != nil && !status.ExpiresAt.Before(most) {
		return "it cannot be extended"
	}
	return "to extend it, raise spec.ttl or run kubectl dbg extend"
}
