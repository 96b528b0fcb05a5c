package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plaintext"
)

// verifyApprovedPayload refuses to make something else than what was shown to whoever approved it: who may patch a pod can change what a
// debugger of it, or a copy, comes to.
func (p *pass) verifyApprovedPayload(target *debugTarget, making Action) error {
	if p.isMember() {
		return p.verifyMemberPayload(target)
	}
	request := p.status().Request
	if request == nil || approval.StandsFor(request.Hash, p.HashKey, p.spec(), p.status().Class, p.approvedUID(target), p.payload(making, target)) {
		return nil
	}
	return refuse(v1alpha1.ReasonTargetChanged,
		"the debugger would differ from what its approvers saw (status.request.preview): %s or the operator has changed since; apply a new session", target)
}

// payload is what of an action is approved.
func payload(making Action) approval.Payload {
	if inject, ephemeral := making.(InjectDebugger); ephemeral {
		return approval.AddedPayload(inject.Container)
	}
	create := making.(CreatePod)
	pod := create.Pod.DeepCopy()
	debugpod.UnwrapHeld(pod, create.Held)
	return approval.CreatedPayload(pod)
}

// countApprovals counts the session's approvals and writes them down.
func (p *pass) countApprovals() (approval.Tally, step) {
	approvals, stop := need(p.Approvals, ReadApprovals{}, nil, func(err error) step { return approvalsUnreadable{err} })
	if stop != nil {
		return approval.Tally{}, stop
	}
	t := approval.Count(approvals, p.Session, int(p.status().Class.ApprovalsRequired))
	for i := range t.Approvals {
		t.Approvals[i].Reason = sanitizeMessage(t.Approvals[i].Reason)
	}
	p.status().Approvals, p.status().ApprovedBy = t.Approvals, sanitizeMessage(strings.Join(t.Approvers(), ", "))
	return t, nil
}

// approvalsUnreadable has a session wait until its approvals can be read.
type approvalsUnreadable struct{ err error }

func (s approvalsUnreadable) take(p *pass) {
	message := fmt.Sprintf("cannot read the approvals: %v", s.err)
	p.warnOnce(v1alpha1.ConditionApproved, v1alpha1.ReasonUnreadable, message)
	p.set(v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonUnreadable, message)
	if p.status().StartedAt == nil {
		p.obstruct(v1alpha1.ReasonUnreadable, message)
		p.stand(v1alpha1.PhaseAwaitingApproval, v1alpha1.ReasonUnreadable, message)
	}
	p.plan.Retry = fmt.Errorf("reading approvals: %w", s.err)
}

// approved sees that a session which needs approval has it.
func (p *pass) approved() step {
	status, wanted := p.status(), p.ttl()
	if status.Class.ApprovalsRequired == 0 || p.isMember() {
		return nil
	}
	if status.Request == nil {
		return p.requested()
	}
	t, stop := p.countApprovals()
	if stop != nil {
		return stop
	}
	deadline := approval.Deadline(status)
	switch {
	case t.Denied != nil:
		p.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, string(v1alpha1.OutcomeDenied), "denied by "+t.Denied.By)
		return markEnded{v1alpha1.OutcomeDenied, string(v1alpha1.OutcomeDenied), "it was denied by " + t.Denied.By}
	case t.TTL >= wanted && !p.Approvals.fresh && !p.waitsForTrigger(): // a watch may not have seen yet that one was taken back
		return ask{ReadApprovals{Fresh: true}}
	case t.TTL >= wanted:
		p.markApproved(t)
		return nil
	case p.isEmergency():
		return p.beginUnapproved()
	case t.TTL == 0 && p.Session.Status.IsArmed():
		return p.disarmed(t)
	case !p.Now.Before(deadline):
		return markEnded{v1alpha1.OutcomeTimedOut, string(v1alpha1.OutcomeTimedOut),
			fmt.Sprintf("not approved within %s; apply a new session", v1alpha1.FormatDuration(deadline.Sub(status.Request.Since.Time)))}
	default:
		p.awaitApproval(t, deadline)
		return pause{}
	}
}

func (p *pass) markApproved(t approval.Tally) {
	p.status().WaitingFor = ""
	p.set(v1alpha1.ConditionApproved, metav1.ConditionTrue, string(v1alpha1.DecisionApprove)+"d", "approved by "+strings.Join(t.Approvers(), ", "))
}

// awaitApproval says whom the session waits for, and until when.
func (p *pass) awaitApproval(t approval.Tally, deadline time.Time) {
	status := p.status()
	missing := "1 approval"
	if n := int(status.Class.ApprovalsRequired) - t.People; n > 1 {
		missing = fmt.Sprintf("%d approvals", n)
	}
	status.WaitingFor = fmt.Sprintf("%s from someone allowed to approve class %s", missing, p.spec().ClassName)
	got := fmt.Sprintf("%d of %d approvals", t.People, status.Class.ApprovalsRequired)
	p.obstruct(v1alpha1.ReasonAwaitingApproval, got)
	message := fmt.Sprintf("%s; waiting until %s for an approver of class %q (kubectl auth can-i approve debugclasses.debugsession.dev/%s -n %s)",
		got, plaintext.Clock(deadline), p.spec().ClassName, p.spec().ClassName, p.Session.Namespace)
	p.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval, message)
	p.stand(v1alpha1.PhaseAwaitingApproval, v1alpha1.ReasonAwaitingApproval, message)
	p.wake(deadline)
	if at := p.spec().NotAfter; at != nil {
		p.wake(at.Time)
	}
}

// stillApproved looks after the approvals of a session that runs, and records how long it may last by them, or why it may not. What
// waits while they cannot be read is only what would be made or given: a session that is to end still does.
func (p *pass) stillApproved() step {
	if p.isMember() {
		return p.parentRuns()
	}
	p.lasts = p.status().Class.MaxTTL.Duration
	if p.status().Class.ApprovalsRequired == 0 {
		return nil
	}
	t, stop := p.countApprovals()
	switch stop := stop.(type) {
	case nil:
	case ask:
		return stop
	default:
		stop.take(p)
		p.approvalsUnknown = true
		return nil
	}
	p.review(t)
	p.lasts = t.TTL
	switch {
	case p.status().AwaitsReview():
		p.runUnapproved()
	case t.Denied != nil:
		p.revoke("denied by " + t.Denied.By)
	case t.TTL == 0:
		p.status().Approvals, p.status().ApprovedBy = p.Session.Status.Approvals, p.Session.Status.ApprovedBy // what it ran on is part of the record
		p.revoke(removed(p.Session.Status.Approvals, t.Approvals))
	case t.TTL < p.ttl():
		p.status().WaitingFor = fmt.Sprintf("approval of the longer ttl from someone allowed to approve class %s", p.spec().ClassName)
		p.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonShorterTTL,
			fmt.Sprintf("a ttl of %s is approved, and %s is requested; the session ends at the approved ttl unless the longer one is approved", v1alpha1.FormatDuration(t.TTL), v1alpha1.FormatDuration(p.ttl())))
	default:
		p.markApproved(t)
	}
	return nil
}

func (p *pass) revoke(why string) {
	p.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, string(v1alpha1.OutcomeRevoked), why)
	p.revoked = why
}

// notRevoked comes after the session's time: one whose time is up has expired, whatever has become of its approvals since.
func (p *pass) notRevoked() step {
	if p.revoked == "" {
		return nil
	}
	return p.end(v1alpha1.OutcomeRevoked, string(v1alpha1.OutcomeRevoked), p.revoked)
}

// removed names those who took their approval back.
func removed(before, now []v1alpha1.ApprovalStatus) string {
	var names []string
	for _, old := range before {
		if !slices.ContainsFunc(now, func(a v1alpha1.ApprovalStatus) bool { return a.Name == old.Name }) {
			names = append(names, fmt.Sprintf("%s (by %s)", old.Name, old.By))
		}
	}
	if len(names) == 0 {
		return "the approvals it ran on no longer count"
	}
	return "the approval it ran on was removed: " + strings.Join(names, ", ")
}
