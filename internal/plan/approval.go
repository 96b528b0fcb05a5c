package plan

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// Approval is a DebugApproval as it was read, and whether the operator's admission vouches for it.
type Approval struct {
	*v1alpha1.DebugApproval
	Sealed  bool
	Unbound bool // admission let it in while no session asked: what it says that it is for was not confirmed
}

// requestHash stands for what an approver approves: the session's spec but for ttl, end and emergency, what the class granted, the
// very pod, and what would be made of it, with the values that a preview hides: hence the key, without which those could be
// guessed from the rest and the hash. A ttl is approved beside it, so that a shorter one needs no new approval.
func requestHash(key []byte, spec *v1alpha1.DebugSessionSpec, class *v1alpha1.ClassStatus, target types.UID, making Action) string {
	fixed := *spec
	fixed.TTL, fixed.End, fixed.Emergency = nil, false, false
	if requester := fixed.Requester.DeepCopy(); requester != nil {
		requester.Seal, fixed.Requester = "", requester // it is another when the session becomes an emergency
	}
	granted := *class
	granted.Allows = nil // may become less; what is made by it is a part of the hash
	granted.Audit = ""   // may become stricter
	granted.Transcript = ""
	text, err := json.Marshal(struct {
		Spec   *v1alpha1.DebugSessionSpec
		Class  *v1alpha1.ClassStatus
		Target types.UID
		Made   any
	}{&fixed, &granted, target, shown(making)})
	if err != nil {
		panic(err) // plain data: it has been JSON before
	}
	sum := hmac.New(sha256.New, key)
	sum.Write(text)
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// shown is what an approver is shown of what an action makes, without what depends on the time it is made at, and on where
// the target has been placed by then.
func shown(making Action) any {
	if inject, ephemeral := making.(InjectDebugger); ephemeral {
		container := inject.Container
		container.Command = debugpod.Unlimited(container.Command)
		return container
	}
	pod := making.(CreatePod).Pod.DeepCopy()
	pod.Spec.ActiveDeadlineSeconds, pod.Spec.NodeName, pod.Spec.SchedulingGates = nil, "", nil
	return pod
}

// verifyApprovedPayload refuses to make something else than what was shown to whoever approved it: who may patch a pod can change what a
// debugger of it, or a copy, comes to.
func (p *pass) verifyApprovedPayload(target *debugTarget, making Action) *Refusal {
	request := p.status().Request
	if request == nil || request.Hash == requestHash(p.HashKey, p.spec(), p.status().Class, target.uid(), making) {
		return nil
	}
	return refuse(v1alpha1.ReasonTargetChanged,
		"what would be made now is not what its approvers were shown (status.request.preview): %s was changed since, or the operator was; apply a new session", target)
}

// Verdict is whether an approval counts, and why.
type Verdict struct {
	Counts  bool
	Reason  string
	Message string
}

// EvaluateApproval reports whether an approval counts for the session of the name it gives; nil means that there is none.
func EvaluateApproval(approval Approval, session *v1alpha1.DebugSession) Verdict {
	spec := &approval.Spec
	switch {
	case approval.Unbound || spec.SessionUID == "" || spec.Approver == nil:
		return Verdict{Reason: v1alpha1.ReasonUnbound, Message: fmt.Sprintf(
			"no session %q was asking for approval when this was created, so it approves nothing; delete it, and create it again while the session is AwaitingApproval", spec.SessionName)}
	case !approval.Sealed:
		return Verdict{Reason: v1alpha1.ReasonNotTrusted, Message: "the operator's admission did not stamp this; delete it, and create it again"}
	case session == nil || session.UID != spec.SessionUID:
		return Verdict{Reason: v1alpha1.ReasonOtherSession, Message: fmt.Sprintf(
			"it was for a session %q with UID %s, which is gone; a new session needs a new approval: delete this one, and create another", spec.SessionName, spec.SessionUID)}
	case session.Status.Request == nil || session.Status.Class == nil || session.Status.Request.Hash != spec.RequestHash:
		return Verdict{Reason: v1alpha1.ReasonOtherRequest, Message: "the session asks for something else than this approved; delete it, and create it again"}
	case late(approval, &session.Status):
		return Verdict{Reason: v1alpha1.ReasonSessionEnded, Message: "it came after the session's time to be approved was up, which is final; apply a new session"}
	case spec.Decision == v1alpha1.DecisionApprove && selfApproved(approval, session):
		return Verdict{Reason: v1alpha1.ReasonSelfApproval, Message: fmt.Sprintf(
			"%s asked for the session, and class %q wants somebody else to approve it", spec.Approver.Username, session.Spec.ClassName)}
	default:
		return Verdict{Counts: true, Reason: v1alpha1.ReasonCounted, Message: fmt.Sprintf("%s by %s", spec.Decision, spec.Approver.Username)}
	}
}

// late reports whether a session that has not started was no longer waiting for the approval.
func late(approval Approval, session *v1alpha1.DebugSessionStatus) bool {
	return session.StartedAt == nil && !approval.CreationTimestamp.Time.Before(waitsUntil(session))
}

// waitsUntil is when a session that asks for approval has waited long enough.
func waitsUntil(session *v1alpha1.DebugSessionStatus) time.Time {
	wait := v1alpha1.DefaultApprovalTimeout
	if granted := session.Class.ApprovalTimeout; granted != nil { // else somebody has edited the status
		wait = granted.Duration
	}
	return session.Request.Since.Add(wait)
}

func selfApproved(approval Approval, session *v1alpha1.DebugSession) bool {
	return !session.Status.Class.SelfApproval && session.Spec.Requester != nil &&
		approval.Spec.Approver.Username == session.Spec.Requester.Username
}

// tally is what the approvals that count come to.
type tally struct {
	approvals []v1alpha1.ApprovalStatus
	denied    *v1alpha1.ApprovalStatus
	people    int           // who approved at all
	ttl       time.Duration // the longest that enough people approved; 0: not approved
}

// count adds up the approvals that count, each person's once and at the longest ttl that they approved.
func count(approvals []Approval, session *v1alpha1.DebugSession, required int) tally {
	var t tally
	longest := map[string]time.Duration{}
	for _, approval := range approvals {
		if approval.DeletionTimestamp != nil || !EvaluateApproval(approval, session).Counts {
			continue
		}
		entry := v1alpha1.ApprovalStatus{
			Name: approval.Name, By: approval.Spec.Approver.Username, At: approval.CreationTimestamp,
			Decision: approval.Spec.Decision, TTL: (*v1alpha1.Duration)(approval.Spec.TTL.DeepCopy()),
			Reason: approval.Spec.Reason,
		}
		t.approvals = append(t.approvals, entry)
		if entry.Decision == v1alpha1.DecisionDeny {
			t.denied = &entry
			continue
		}
		if entry.TTL != nil {
			longest[entry.By] = max(longest[entry.By], entry.TTL.Duration)
		}
	}
	t.approvals = sanitizeReasons(truncateApprovals(t.approvals))
	t.people = len(longest)
	if required > 0 && len(longest) >= required {
		ttls := make([]time.Duration, 0, len(longest))
		for _, ttl := range longest {
			ttls = append(ttls, ttl)
		}
		slices.Sort(ttls)
		t.ttl = ttls[len(ttls)-required]
	}
	return t
}

// sanitizeReasons makes harmless what approvers have written.
func sanitizeReasons(approvals []v1alpha1.ApprovalStatus) []v1alpha1.ApprovalStatus {
	for i := range approvals {
		approvals[i].Reason = sanitizeMessage(approvals[i].Reason)
	}
	return approvals
}

// mostApprovals is how many approvals are written down. Whoever may approve may do so without end, and a status that has grown
// too large for the API server could never say Ended.
const mostApprovals = 32

// truncateApprovals are the approvals in the order in which they were given; of too many those that decide: denials, then one of each
// person's, and of those the ones of the longest ttl.
func truncateApprovals(approvals []v1alpha1.ApprovalStatus) []v1alpha1.ApprovalStatus {
	given := func(a, b v1alpha1.ApprovalStatus) int {
		return cmp.Or(a.At.Time.Compare(b.At.Time), strings.Compare(a.Name, b.Name))
	}
	if len(approvals) > mostApprovals {
		slices.SortFunc(approvals, func(a, b v1alpha1.ApprovalStatus) int {
			return cmp.Or(cmp.Compare(weight(b), weight(a)), given(a, b))
		})
		people := map[string]bool{}
		var again []v1alpha1.ApprovalStatus
		approvals = slices.DeleteFunc(approvals, func(a v1alpha1.ApprovalStatus) bool {
			known := people[a.By]
			people[a.By] = true
			if known {
				again = append(again, a)
			}
			return known
		})
		approvals = append(approvals, again...)[:mostApprovals]
	}
	slices.SortFunc(approvals, given)
	return approvals
}

func weight(a v1alpha1.ApprovalStatus) time.Duration {
	switch {
	case a.Decision == v1alpha1.DecisionDeny:
		return math.MaxInt64
	case a.TTL != nil:
		return a.TTL.Duration
	default:
		return 0
	}
}

// countApprovals counts the session's approvals and writes them down.
func (p *pass) countApprovals() (tally, step) {
	approvals, stop := need(p.Approvals, ReadApprovals{}, nil, func(err error) step { return approvalsUnreadable{err} })
	if stop != nil {
		return tally{}, stop
	}
	t := count(approvals, p.Session, int(p.status().Class.ApprovalsRequired))
	p.status().Approvals, p.status().ApprovedBy = t.approvals, sanitizeMessage(strings.Join(approvers(t), ", "))
	return t, nil
}

// approvalsUnreadable has a session wait until its approvals can be read.
type approvalsUnreadable struct{ err error }

func (s approvalsUnreadable) take(p *pass) {
	message := fmt.Sprintf("the approvals cannot be read: %v", s.err)
	p.warnOnce(v1alpha1.ConditionApproved, v1alpha1.ReasonUnreadable, message)
	p.set(v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonUnreadable, message)
	if p.status().StartedAt == nil {
		p.stand(v1alpha1.PhaseAwaitingApproval, v1alpha1.ReasonUnreadable, message)
	}
	p.plan.Retry = fmt.Errorf("reading approvals: %w", s.err)
}

// approved sees that a session which needs approval has it.
func (p *pass) approved() step {
	status, wanted := p.status(), p.ttl()
	if status.Class.ApprovalsRequired == 0 {
		return nil
	}
	if status.Request == nil {
		return p.requested()
	}
	t, stop := p.countApprovals()
	if stop != nil {
		return stop
	}
	deadline := waitsUntil(status)
	switch {
	case t.denied != nil:
		p.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, string(v1alpha1.OutcomeDenied), "denied by "+t.denied.By)
		return markEnded{v1alpha1.OutcomeDenied, string(v1alpha1.OutcomeDenied), "it was denied by " + t.denied.By}
	case t.ttl >= wanted && !p.Approvals.fresh: // a watch may not have seen yet that one was taken back
		return ask{ReadApprovals{Fresh: true}}
	case t.ttl >= wanted:
		p.markApproved(t)
		return nil
	case p.isEmergency():
		return p.beginUnapproved()
	case !p.Now.Before(deadline):
		return markEnded{v1alpha1.OutcomeTimedOut, string(v1alpha1.OutcomeTimedOut),
			fmt.Sprintf("it was not approved within %s; apply a new session", v1alpha1.FormatDuration(deadline.Sub(status.Request.Since.Time)))}
	default:
		p.awaitApproval(t, deadline)
		return pause{}
	}
}

func (p *pass) markApproved(t tally) {
	p.status().WaitingFor = ""
	p.set(v1alpha1.ConditionApproved, metav1.ConditionTrue, string(v1alpha1.DecisionApprove)+"d", "approved by "+strings.Join(approvers(t), ", "))
}

// awaitApproval says whom the session waits for, and until when.
func (p *pass) awaitApproval(t tally, deadline time.Time) {
	status := p.status()
	missing := "1 approval"
	if n := int(status.Class.ApprovalsRequired) - t.people; n > 1 {
		missing = fmt.Sprintf("%d approvals", n)
	}
	status.WaitingFor = fmt.Sprintf("%s from someone allowed to approve class %s", missing, p.spec().ClassName)
	message := fmt.Sprintf("%d of %d approvals; waiting until %s for someone who may approve class %q here (kubectl auth can-i approve debugclasses.debugsession.dev/%s -n %s)",
		t.people, status.Class.ApprovalsRequired, clock(deadline), p.spec().ClassName, p.spec().ClassName, p.Session.Namespace)
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
	p.lasts = t.ttl
	switch {
	case p.status().AwaitsReview():
		p.runUnapproved()
	case t.denied != nil:
		p.revoke("denied by " + t.denied.By)
	case t.ttl == 0:
		p.status().Approvals, p.status().ApprovedBy = p.Session.Status.Approvals, p.Session.Status.ApprovedBy // what it ran on is part of the record
		p.revoke(removed(p.Session.Status.Approvals, t.approvals))
	case t.ttl < p.ttl():
		p.status().WaitingFor = fmt.Sprintf("approval of the longer ttl from someone allowed to approve class %s", p.spec().ClassName)
		p.set(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonShorterTTL,
			fmt.Sprintf("a ttl of %s is approved, and %s asked for; until that is approved it ends at the shorter", v1alpha1.FormatDuration(t.ttl), v1alpha1.FormatDuration(p.ttl())))
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
		return "the approvals that it ran on do not count any more"
	}
	return "the approval that it ran on was removed: " + strings.Join(names, ", ")
}

// approvers are those whose approvals count, each once.
func approvers(t tally) []string {
	var names []string
	for _, a := range t.approvals {
		if a.Decision == v1alpha1.DecisionApprove && !slices.Contains(names, a.By) {
			names = append(names, a.By)
		}
	}
	return names
}
