package plan

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plaintext"
)

const (
	// StartTimeout is how long a session waits for its target, and then again for its debugger to run.
	StartTimeout = 5 * time.Minute

	// slowStart is how long a debugger that is on its way may take before the session says what may hold it up.
	slowStart = time.Minute

	// ownEnd is how long a debugger may take to end by itself at its own deadline, before the operator ends it.
	ownEnd = 8 * time.Second

	// overdueRetry is how soon what failed is tried again for a session that should have ended. It does not grow: nobody waits for
	// longer after a long outage than after a short one.
	overdueRetry = 2 * time.Second

	// followUp is when an end that was written down is carried out, if the watch has not told of it before: it may be broken.
	followUp = time.Second

	// recheck is how often a debugger that resists its end is looked at again, beside being watched.
	recheck = 15 * time.Second
)

// lifetime is when a session begins and ends. All times are whole seconds, as the API keeps them.
type lifetime struct {
	started, expires, hard time.Time
}

// ttl is how long a session is to last: what it says, else what its class says, and never longer than the class allows.
func ttl(spec *v1alpha1.DebugSessionSpec, class *v1alpha1.ClassStatus) time.Duration {
	return min(spec.TTLUnder(class), class.MaxTTL.Duration)
}

func (p *pass) ttl() time.Duration { return ttl(p.spec(), p.status().Class) }

// begin computes the lifetime of a session that starts now and lasts this long. The hard deadline is as late as an extension could reach.
// It is no later than the target's own deadline, if that is set.
func begin(spec *v1alpha1.DebugSessionSpec, class *v1alpha1.ClassStatus, lasts time.Duration, now time.Time, target *metav1.Time) lifetime {
	started := now.UTC().Truncate(time.Second)
	life := lifetime{started: started, hard: notAfter(spec, started.Add(class.MaxTTL.Duration).Truncate(time.Second))}
	if target != nil && target.Time.Before(life.hard) {
		life.hard = target.Time
	}
	life.expires = life.until(expiry(spec, started, lasts))
	return life
}

// until is a time, or the hard deadline if that is earlier.
func (l lifetime) until(end time.Time) time.Time {
	if l.hard.Before(end) {
		return l.hard
	}
	return end
}

// expiry is when a session that lasts this long ends by itself: never past notAfter.
func expiry(spec *v1alpha1.DebugSessionSpec, started time.Time, lasts time.Duration) time.Time {
	return notAfter(spec, started.Add(lasts).Truncate(time.Second))
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

// latestStart is the start deadline that a debugger is made with: it ends itself if it starts later. Unlike startBy it never moves.
func latestStart(status *v1alpha1.DebugSessionStatus) time.Time {
	return status.StartedAt.Add(StartTimeout)
}

// neverAfter is when a debugger that has not begun to run never will: its wrapper starts nothing when its deadline has passed, either.
func neverAfter(status *v1alpha1.DebugSessionStatus) time.Time {
	latest := latestStart(status)
	if own := status.Debugger.Deadline; own != nil && own.Time.Before(latest) {
		return own.Time
	}
	return latest
}

// deadlines are the times that a debugger keeps to by itself: an ephemeral one, and one that is held for its files.
func deadlines(session *v1alpha1.DebugSession) debugpod.Deadlines {
	status := &session.Status
	end := status.Debugger.Deadline
	if end == nil { // in a pod that was made, or recorded by an operator that told a debugger only its hard deadline
		end = status.HardDeadline
	}
	idle := time.Duration(0)
	if timeout := status.Class.IdleTimeout; timeout != nil {
		idle = timeout.Duration
	}
	hold := time.Duration(0)
	if len(session.Spec.Debugger.Artifacts) > 0 {
		hold = HoldTimeout
	}
	return debugpod.Deadlines{
		Hold: hold, StartBy: latestStart(status), End: end.Time, Hard: status.HardDeadline.Time,
		Warnings: endWarnings(status), Idle: idle, Recorded: status.Transcribed(), Session: types.NamespacedName{Namespace: session.Namespace, Name: session.Name},
	}
}

// follow moves the end to where ttl has been set. A debugger that keeps to a deadline of its own is told of it, and ends at no
// time that the status does not allow: not before expiresAt, nor after debugger.deadline. So the bound that moves away is written
// down first: expiresAt for an earlier end, debugger.deadline for a later one. Then the debugger is told, and the other bound
// follows when it has heard.
func (p *pass) follow(wanted time.Time) {
	status := p.status()
	own := status.Debugger.Deadline
	switch {
	case own == nil:
		p.moveEnd(wanted)
	case status.Debugger.StartedAt == nil: // it will keep to what it is made with, and nothing can be run in it yet
		p.moveEnd(earlier(wanted, own.Time))
	default:
		p.moveEnd(earlier(wanted, status.ExpiresAt.Time))
		if wanted.After(own.Time) {
			status.Debugger.Deadline = timestamp(wanted)
		}
		p.pendingDeadline = wanted
	}
}

// mustBeTold reports whether the debugger may keep to another deadline than it should, and whether it may be told: once the status
// that allows it is persisted.
func (p *pass) mustBeTold() bool {
	before, now := &p.Session.Status, p.status()
	if p.pendingDeadline.IsZero() || now.ExpiresAt.Equal(now.Debugger.Deadline) {
		return false
	}
	return before.ExpiresAt.Equal(now.ExpiresAt) && before.Debugger.Deadline.Equal(now.Debugger.Deadline)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// moveEnd writes down when the session ends now.
func (p *pass) moveEnd(to time.Time) {
	status := p.status()
	if status.ExpiresAt.Time.Equal(to) {
		return
	}
	p.event(corev1.EventTypeNormal, v1alpha1.ReasonRescheduled, fmt.Sprintf("the session ends at %s instead of %s", plaintext.Clock(to), plaintext.Clock(status.ExpiresAt.Time)))
	status.ExpiresAt = timestamp(to)
	p.planEndWarning()
	p.admitted()
}

// atItsDeadline reports whether the debugger has reached the deadline that it keeps to by itself, and may still be on its way to end.
func (p *pass) atItsDeadline() bool {
	own := p.status().Debugger.Deadline
	return passed(own, p.Now) && p.Now.Before(own.Add(ownEnd))
}

func passed(deadline *metav1.Time, now time.Time) bool {
	return deadline != nil && !now.Before(deadline.Time)
}

func timestamp(t time.Time) *metav1.Time {
	at := metav1.NewTime(t.UTC().Truncate(time.Second))
	return &at
}
