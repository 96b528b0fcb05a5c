package plan

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/plaintext"
)

const triedUntil = "; retrying until "

// ran reports whether the debugger is known to have run its command.
func (p *pass) ran() bool {
	if p.spec().HasMembers() {
		return slices.ContainsFunc(p.status().Members, func(row v1alpha1.MemberStatus) bool { return row.StartedAt != nil })
	}
	d := p.status().Debugger
	return d != nil && d.StartedAt != nil && (d.FinishedAt == nil || !gaveUp(d.Message, *d.StartedAt, *d.FinishedAt))
}

// end has the session end. One whose debugger never ran did nothing of what it was for: what ends it by itself makes it NotStarted,
// with what kept the debugger from running; what a person does to it keeps its outcome, and the message tells.
func (p *pass) end(outcome v1alpha1.Outcome, reason, message string) step {
	if p.ran() {
		return beginEnding{outcome, reason, message}
	}
	why, obstacle := v1alpha1.ReasonNotStarted, ""
	if seen := p.status().Obstacle; seen != nil {
		why, obstacle = seen.Reason, seen.Message
	}
	switch outcome {
	case v1alpha1.OutcomeExpired:
		outcome, reason, message = v1alpha1.OutcomeNotStarted, why, "the debugger never ran: "+appended("; ", message, obstacle)
	case v1alpha1.OutcomeFailed:
		outcome, message = v1alpha1.OutcomeNotStarted, "the debugger never ran: "+appended("; ", message, obstacle)
	case v1alpha1.OutcomeTerminated, v1alpha1.OutcomeRevoked, v1alpha1.OutcomeTargetGone:
		message += "; " + appended(": ", "the debugger never ran", obstacle)
	case v1alpha1.OutcomeCompleted, v1alpha1.OutcomeDenied, v1alpha1.OutcomeRejected, v1alpha1.OutcomeTimedOut, v1alpha1.OutcomeNotStarted:
	}
	return beginEnding{outcome, reason, message}
}

// appended is a sentence and, if there is any, what goes on after it.
func appended(with, sentence, more string) string {
	if more == "" {
		return sentence
	}
	return sentence + with + more
}

// obstruct records what keeps the debugger from running, without how long that is tried: an end without it tells of that.
func (p *pass) obstruct(reason, message string) {
	p.status().Obstacle = &v1alpha1.Obstacle{Reason: sanitizeReason(reason), Message: sanitizeMessage(message)}
}

// expire ends a session whose time is up. Whether its debugger ran, and if not why, its pod tells, if it was not seen before.
func (p *pass) expire() step {
	if !p.ran() {
		if stop := p.mode().look(p); stop != nil {
			return stop
		}
	}
	return p.end(v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), "the session expired at "+plaintext.Clock(p.status().ExpiresAt.Time)+p.becauseOfTarget()+p.howOften())
}

// note records where the debugger stands as its container tells.
func (p *pass) note(c container, pod *corev1.Pod) step {
	c = c.steady()
	if c.neverRan() {
		c.record(p.status().Debugger)
		return p.couldNotStart(c, pod)
	}
	if c.state == v1alpha1.DebuggerRunning || c.ended != nil {
		c.record(p.status().Debugger)
		return nil
	}
	if held := p.heldByTarget(c, pod); held != nil {
		p.obstruct(held.reason, held.message)
	} else if c.troubled() {
		p.obstruct(c.reason, p.trouble(c, pod))
	}
	return nil
}

// trouble is what a container that cannot start waits for, and what can be done about it.
func (p *pass) trouble(c container, pod *corev1.Pod) string {
	return fmt.Sprintf("container %q in pod %q: %s; %s", p.status().Debugger.ContainerName, pod.Name, c.message, diagnosis.StartRemedy(p.spec(), c.reason, c.message))
}

// couldNotStart ends a session whose debugger's container ended without having run its command.
func (p *pass) couldNotStart(c container, pod *corev1.Pod) step {
	if stop := p.missedTarget(c, pod); stop != nil {
		return stop
	}
	reason, why := p.failure(c)
	why = fmt.Sprintf("container %q could not start: %s", p.status().Debugger.ContainerName, why)
	p.obstruct(reason, why)
	return beginEnding{v1alpha1.OutcomeNotStarted, reason, "the debugger never ran: " + why}
}

// notMade ends a session whose debugger could not be created in time, with what kept it from being made if that was told.
func (p *pass) notMade(what string) step {
	message := what + " could not be created in time"
	if obstacle := p.status().Obstacle; obstacle != nil {
		message += ": " + obstacle.Message
	}
	return beginEnding{v1alpha1.OutcomeNotStarted, v1alpha1.ReasonNotStarted, message + "; apply a new session"}
}

// notAfterAhead ends a session that was not admitted before its notAfter. One that waited until then has not done what it was for;
// one that was applied again later, as tools do that hold it in Git, is over as it should be.
func (p *pass) notAfterAhead() step {
	if !passed(p.spec().NotAfter, p.Now) {
		return nil
	}
	if p.armedUntriggered() {
		return p.notTriggered()
	}
	message := fmt.Sprintf("spec.notAfter (%s) has passed; nothing was started", plaintext.Clock(p.spec().NotAfter.Time))
	if p.status().DecisiveCondition() == nil {
		return markEnded{v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), message}
	}
	reason := v1alpha1.ReasonNotStarted
	if obstacle := p.status().Obstacle; obstacle != nil {
		reason, message = obstacle.Reason, appended(": ", message, obstacle.Message)
	}
	return markEnded{v1alpha1.OutcomeNotStarted, reason, message}
}
