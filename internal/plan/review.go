package plan

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/plaintext"
)

// A session may start before its approval, where its class lets an emergency do so. Everything else is asked of it as of any other: what
// it is to make is recorded and hashed first, so that whoever reviews it approves or denies what was really made. Its review goes on
// when it has ended.

// isEmergency reports whether the session may start before its approval, as far as that is its class's to say.
func (p *pass) isEmergency() bool {
	return p.spec().Emergency && p.status().Class.Emergency != nil
}

// beginUnapproved lets an emergency pass the gate of the approvals. What it may be denied by is asked of the API server itself.
func (p *pass) beginUnapproved() step {
	if !p.Approvals.fresh && !p.waitsForTrigger() {
		return ask{ReadApprovals{Fresh: true}}
	}
	p.unapproved = true
	p.status().WaitingFor = ""
	p.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonEmergency, "the session is an emergency, and does not wait for approval")
	return nil
}

// requesterMayDeclareEmergency asks, right before the start, whether the requester may start sessions of the class before their approval.
func (p *pass) requesterMayDeclareEmergency() step {
	if !p.unapproved {
		return nil
	}
	may, stop := need(p.MayDeclareEmergency, CheckEmergency{}, pause{}, unreadable("the requester's permission to start before approval"))
	if stop == nil && !may {
		return reject{refuse(v1alpha1.ReasonEmergencyForbidden,
			"%s may not start sessions of class %q before approval in namespace %q; apply a new session without spec.emergency and wait for approval, "+
				"or ask an administrator to grant the verb %s on the class; check with: kubectl auth can-i %s debugclasses.debugsession.dev/%s -n %s",
			p.spec().Requester.Username, p.spec().ClassName, p.Session.Namespace, v1alpha1.VerbEmergency, v1alpha1.VerbEmergency, p.spec().ClassName, p.Session.Namespace)}
	}
	return stop
}

// unapprovedTTL is how long the session lasts while nobody has approved it.
func (p *pass) unapprovedTTL() time.Duration {
	if granted := p.status().Class.Emergency; granted != nil { // else somebody has edited the status
		return granted.MaxTTL.Duration
	}
	return 0
}

// startsWith is how long a session lasts that starts now.
func (p *pass) startsWith() time.Duration {
	if p.isMember() {
		now := p.Now.Truncate(time.Second)
		return memberEnd(p.parent, now).Sub(now)
	}
	if p.unapproved {
		return min(p.ttl(), p.unapprovedTTL())
	}
	return p.ttl()
}

// runUnapproved has a session that runs go on for as long as it may without approval.
func (p *pass) runUnapproved() {
	p.unapproved, p.lasts = true, p.unapprovedTTL()
	message := "it started before approval: " + v1alpha1.See(p.condition(v1alpha1.ConditionReviewed))
	if p.lasts < p.ttl() {
		message = fmt.Sprintf("until it is approved, it lasts at most %s of the %s requested", v1alpha1.FormatDuration(p.lasts), v1alpha1.FormatDuration(p.ttl()))
	}
	p.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonEmergency, message)
}

// beginReview writes down that the session starts without approval, and by when that must be reviewed.
func (p *pass) beginReview() {
	if !p.unapproved {
		return
	}
	started := p.status().StartedAt
	due := *timestamp(started.Add(p.status().Class.Emergency.ReviewWithin.Duration))
	p.status().Review = &v1alpha1.ReviewStatus{Since: *started, DueAt: due, NextReminder: &due}
	p.awaitReview(approval.Tally{})
	p.event(corev1.EventTypeWarning, v1alpha1.ReasonEmergency, fmt.Sprintf(
		"starting before approval: %s declared an emergency; it must be reviewed by %s: kubectl dbg approve %s -n %s; reason: %s",
		p.spec().Requester.Username, plaintext.Clock(due.Time), p.Session.Name, p.Session.Namespace, p.spec().Reason))
}

// review settles the review of a session by its approvals, if they suffice. It is final: that somebody takes an approval back ends the
// session that runs, and does not have it reviewed anew.
func (p *pass) review(t approval.Tally) {
	status := p.status()
	switch {
	case !status.AwaitsReview():
		return
	case t.Denied != nil:
		p.settleReview(v1alpha1.DecisionDeny, t.Denied.By)
		p.tellReview(corev1.EventTypeWarning, v1alpha1.ReasonDeniedInReview, "denied in review by "+t.Denied.By)
	case t.TTL > 0:
		by := strings.Join(t.Approvers(), ", ")
		p.settleReview(v1alpha1.DecisionApprove, by)
		p.tellReview(corev1.EventTypeNormal, v1alpha1.ReasonAcknowledged, "acknowledged in review by "+by)
	default:
		p.awaitReview(t)
	}
}

func (p *pass) settleReview(decision v1alpha1.Decision, by string) {
	review := p.status().Review
	review.Decision, review.By, review.At, review.NextReminder = decision, sanitizeMessage(by), timestamp(p.Now), nil
	review.AfterEnd = p.Session.Status.Phase == v1alpha1.PhaseEnded
	p.status().WaitingFor = ""
}

// tellReview says how a review was settled.
func (p *pass) tellReview(kind, reason, message string) {
	p.set(v1alpha1.ConditionReviewed, metav1.ConditionTrue, reason, message)
	p.event(kind, reason, message)
}

// awaitReview says by when the session must be reviewed, and that it was not: when that was due, and then again each day.
func (p *pass) awaitReview(t approval.Tally) {
	status := p.status()
	review := status.Review
	status.WaitingFor = p.stillToReview()
	so := fmt.Sprintf("%d of %d approvals; it started before approval, as an emergency", t.People, status.Class.ApprovalsRequired)
	how := fmt.Sprintf("to approve or deny it: kubectl dbg approve %s -n %s, or kubectl dbg deny", p.Session.Name, p.Session.Namespace)
	if p.Now.Before(review.DueAt.Time) {
		p.set(v1alpha1.ConditionReviewed, metav1.ConditionFalse, v1alpha1.ReasonAwaitingReview, fmt.Sprintf("%s, and must be reviewed by %s; %s", so, plaintext.Clock(review.DueAt.Time), how))
		p.wake(review.DueAt.Time)
		return
	}
	p.set(v1alpha1.ConditionReviewed, metav1.ConditionFalse, v1alpha1.ReasonReviewOverdue, fmt.Sprintf("%s, and was due for review by %s; %s", so, plaintext.Clock(review.DueAt.Time), how))
	if review.NextReminder == nil || passed(review.NextReminder, p.Now) {
		p.event(corev1.EventTypeWarning, v1alpha1.ReasonReviewOverdue, fmt.Sprintf("it started before approval, and was due for review by %s; %s", plaintext.Clock(review.DueAt.Time), how))
		review.NextReminder = timestamp(p.Now.Add(approval.ReviewReminder))
	}
	p.wake(review.NextReminder.Time)
}

// stillToReview is whom a session waits for that ends or has ended.
func (p *pass) stillToReview() string {
	if p.status().AwaitsReview() {
		return fmt.Sprintf("review by someone allowed to approve class %s", p.spec().ClassName)
	}
	return ""
}

// reviewed goes on with the review of a session that has ended. While it is awaited, the session is kept.
func (p *pass) reviewed() step {
	if !p.status().AwaitsReview() || p.status().Class == nil || p.Session.DeletionTimestamp != nil {
		return nil
	}
	before := p.status().Approvals
	t, stop := p.countApprovals()
	if stop != nil {
		p.status().Approvals = before
		if unread, failed := stop.(approvalsUnreadable); failed {
			return retry{fmt.Errorf("reading approvals: %w", unread.err)}
		}
		return stop
	}
	p.review(t)
	return pause{}
}
