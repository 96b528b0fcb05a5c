package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/debugpod"
)

// A session with target.all has a member for each pod, and one with target.when.times for each trigger: a session of one pod, which goes the way of any other but for who vouches for it, what
// it is approved by and when it ends. All of that is its parent's, and it is never believed what a member says of it: a member is what its
// parent has recorded, made by Member, or it is nothing.

// Parent is the session that a member names, as the operator has it.
type Parent struct {
	Session *v1alpha1.DebugSession

	// Distrust is why it is not known who asked for that session; nil if it is known.
	Distrust *Refusal
}

// Member is the session that a session with members has for one of its pods, or triggers. It is the same whenever it is asked for: what of the
// parent may be changed is not in it.
func Member(parent *v1alpha1.DebugSession, row *v1alpha1.MemberStatus) *v1alpha1.DebugSession {
	spec := parent.Spec.DeepCopy()
	spec.Target = v1alpha1.Target{PodName: row.PodName, Container: parent.Spec.Target.Container}
	spec.TTL, spec.End, spec.Emergency = nil, false, false
	spec.NotAfter = parent.Status.HardDeadline.DeepCopy()
	spec.MemberOf = &v1alpha1.MemberOf{Name: parent.Name, UID: parent.UID, Number: row.Number}
	return &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: parent.Namespace, Name: row.Name,
			Finalizers:      []string{v1alpha1.Finalizer},
			OwnerReferences: []metav1.OwnerReference{debugpod.OwnerReference(parent)},
		},
		Spec: *spec,
	}
}

// isMadeFor reports whether a session is what a session with members has made for that row. Only its end may have been asked for since.
func isMadeFor(session, parent *v1alpha1.DebugSession, row *v1alpha1.MemberStatus) bool {
	spec := session.Spec.DeepCopy()
	spec.End = false
	return session.Name == row.Name && session.Namespace == parent.Namespace && equality.Semantic.DeepEqual(spec, &Member(parent, row).Spec)
}

// IsMemberOf reports whether a session is one of those that a session has recorded, as it was made for it.
func IsMemberOf(session, parent *v1alpha1.DebugSession) bool {
	row := rowOf(parent, session.Name)
	return row != nil && (row.UID == "" || row.UID == session.UID) && isMadeFor(session, parent, row)
}

// MemberNameTaken is the refusal of a member whose name belongs to another session.
func MemberNameTaken(name string) *Refusal {
	return refuse(v1alpha1.ReasonNameTaken, "session %q already exists and is not this session's member; it was left untouched; delete it, and apply a new session", name)
}

// maxMemberName keeps a member's name readable, although a session's may have 253 characters.
const maxMemberName = 63

// memberName is the name of the member for a pod: its session's, the number of the trigger, if it is made at one, and six characters that
// depend on both UIDs. A session that was deleted and created again, and a pod that replaced another of its name, have others.
func memberName(parent *v1alpha1.DebugSession, pod types.UID, number int32) string {
	sum := sha256.Sum256([]byte(string(parent.UID) + "/" + string(pod)))
	end := "-" + hex.EncodeToString(sum[:3])
	if number > 0 {
		end = fmt.Sprintf("-%d%s", number, end)
	}
	begin := parent.Name
	if longest := maxMemberName - len(end); len(begin) > longest {
		begin = strings.TrimRight(begin[:longest], "-.")
	}
	return begin + end
}

func (p *pass) isMember() bool { return p.spec().MemberOf != nil }

// readParent is the session that this one says it is a member of. That there is none takes the API server's word.
func (p *pass) readParent(fresh bool, gone step, ifUnknown func(error) step) (*Parent, step) {
	named := p.spec().MemberOf
	if fresh && p.Parent.state == found && !p.Parent.fresh {
		return nil, ask{ReadParent{Name: named.Name, Fresh: true}}
	}
	parent, stop := need(p.Parent, ReadParent{Name: named.Name, Fresh: fresh}, nil, ifUnknown)
	switch {
	case stop != nil:
		return nil, stop
	case parent != nil && parent.Session.UID == named.UID:
		return parent, nil
	case !p.Parent.fresh:
		return nil, ask{ReadParent{Name: named.Name, Fresh: true}}
	}
	return nil, gone
}

// parentVouches sees that a member is one: that its session is there and known to be asked for by whom it says, runs, has recorded this very
// member before, and has made it as it is. What the session was granted and approved by is then the member's.
func (p *pass) parentVouches() step {
	named := p.spec().MemberOf
	gone := markEnded{v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated), fmt.Sprintf(
		"session %q (%s), of which this is a member, is gone; nothing was created", named.Name, named.UID)}
	parent, stop := p.readParent(true, gone, unreadable(fmt.Sprintf("session %q", named.Name)))
	if stop != nil {
		return stop
	}
	of := parent.Session
	if ended(of) != nil {
		return p.endedWith(of)
	}
	if parent.Distrust != nil {
		return reject{parent.Distrust}
	}
	row := rowOf(of, p.Session.Name)
	switch {
	case of.Spec.HasMembers() && len(of.Status.Members) < max(1, int(named.Number)): // it may have, and this answer be old: nothing is done, and nothing is ruled out
		return stall{
			v1alpha1.ReasonUnreadable, fmt.Sprintf("cannot see that session %q has made this session: it has recorded %d members so far", named.Name, len(of.Status.Members)),
			fmt.Errorf("session %q has recorded %d members so far", named.Name, len(of.Status.Members)),
		}
	case !IsMemberOf(p.Session, of):
		return reject{refuse(v1alpha1.ReasonNotTrusted,
			"session %q has not made this session, so nothing is done for it; only the operator makes members (spec.memberOf): delete it, and apply a session of your own without memberOf", named.Name)}
	case row.UID == "", of.Status.StartedAt == nil, of.Status.Class == nil, passed(of.Status.ExpiresAt, p.Now), ApprovalUnknown(of):
		return pause{} // that session is about to be written, and this one is woken then
	}
	p.parent = of
	p.recordVouched(of, row)
	return nil
}

// recordVouched writes down of a member what its session vouches for.
func (p *pass) recordVouched(of *v1alpha1.DebugSession, row *v1alpha1.MemberStatus) {
	status := p.status()
	if status.RequesterVerifiedAt == nil {
		status.RequesterVerifiedAt = timestamp(p.Now)
	}
	if status.Target == nil {
		status.Target = podNamed(row.PodName)
		status.Target.PodUID = row.PodUID
		status.Target.Choice = row.Trigger
		if row.Number == 0 {
			status.Target.Choice = fmt.Sprintf("one of the %d pods of session %s", len(of.Status.Members), of.Name)
		}
	}
	p.copyApprovals(of)
}

// copyApprovals has a member say by whom its session is approved.
func (p *pass) copyApprovals(of *v1alpha1.DebugSession) {
	approved := meta.FindStatusCondition(of.Status.Conditions, v1alpha1.ConditionApproved)
	if approved == nil {
		return
	}
	p.status().Approvals, p.status().ApprovedBy = slices.Clone(of.Status.Approvals), of.Status.ApprovedBy
	p.set(v1alpha1.ConditionApproved, approved.Status, approved.Reason, fmt.Sprintf("as session %q is, whose condition %s says by whom", of.Name, approved.Type))
}

// parentRuns has a member that was admitted end with its session, and at the same time as that. While it cannot be read, nothing is made or
// given: a member that is to end still does, at the end that it knows.
func (p *pass) parentRuns() step {
	named := p.spec().MemberOf
	p.lasts = p.status().Class.MaxTTL.Duration
	gone := p.end(v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated), fmt.Sprintf("session %q (%s), of which this is a member, is gone", named.Name, named.UID))
	parent, stop := p.readParent(false, gone, func(err error) step { return retry{fmt.Errorf("reading session %q: %w", named.Name, err)} })
	if unread, failed := stop.(retry); failed {
		unread.take(p)
		p.approvalsUnknown = true
		return nil
	}
	if stop != nil {
		return stop
	}
	of := parent.Session
	if outcome := ended(of); outcome != nil {
		return p.endedWith(of)
	}
	p.parent = of
	p.approvalsUnknown = ApprovalUnknown(of)
	p.copyApprovals(of)
	return nil
}

// memberEnd is when a member ends that started then: with its session, or sooner if each trigger's has its own time.
func memberEnd(of *v1alpha1.DebugSession, started time.Time) time.Time {
	end := of.Status.ExpiresAt.Time
	if of.Spec.Target.Times() == 0 {
		return end
	}
	return earlier(started.Add(MemberTTL(of)).Truncate(time.Second), end)
}

// MemberTTL is how long each member of a session may last from its own start; 0 if they end with it alone.
func MemberTTL(of *v1alpha1.DebugSession) time.Duration {
	if armed := of.Status.Armed; armed != nil && armed.TTL != nil {
		return armed.TTL.Duration
	}
	return 0
}

// ended is how a session ends or has ended; nil if it runs.
func ended(session *v1alpha1.DebugSession) *v1alpha1.Outcome {
	status := &session.Status
	switch {
	case status.Phase == v1alpha1.PhaseEnded:
		return &status.Outcome
	case status.Phase == v1alpha1.PhaseEnding:
		outcome := v1alpha1.OutcomeTerminated
		if ending := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionEnded); ending != nil {
			outcome = v1alpha1.Outcome(ending.Reason)
		}
		return &outcome
	}
	return nil
}

// endedWith ends a member with its session: as that, if somebody ended it or its time was up.
func (p *pass) endedWith(of *v1alpha1.DebugSession) step {
	outcome := *ended(of)
	switch outcome {
	case v1alpha1.OutcomeRevoked, v1alpha1.OutcomeExpired, v1alpha1.OutcomeTerminated:
	default:
		outcome = v1alpha1.OutcomeTerminated
	}
	message := fmt.Sprintf("session %q, of which this is a member, has ended or ends (%s)", of.Name, outcome)
	if wasAdmitted(&p.Session.Status) {
		return p.end(outcome, string(outcome), message)
	}
	if outcome == v1alpha1.OutcomeExpired {
		outcome = v1alpha1.OutcomeNotStarted
	}
	return markEnded{outcome, string(outcome), message + "; nothing was created"}
}

// ApprovalUnknown reports whether a session that runs cannot read its approvals.
func ApprovalUnknown(session *v1alpha1.DebugSession) bool {
	approved := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionApproved)
	return approved != nil && approved.Status == metav1.ConditionUnknown
}

// rowOf is what a session has recorded of its member of that name; nil if it has not.
func rowOf(of *v1alpha1.DebugSession, name string) *v1alpha1.MemberStatus {
	return rowIn(of.Status.Members, name)
}

func rowIn(rows []v1alpha1.MemberStatus, name string) *v1alpha1.MemberStatus {
	i := slices.IndexFunc(rows, func(row v1alpha1.MemberStatus) bool { return row.Name == name })
	if i < 0 {
		return nil
	}
	return &rows[i]
}

// verifyMemberPayload refuses to make for one of the pods something else than what was shown of another: what is made is held against
// what its session would have shown of this pod.
func (p *pass) verifyMemberPayload(target *debugTarget) error {
	if p.parent == nil {
		return errParentUnread
	}
	of := p.parent
	request := of.Status.Request
	if request == nil {
		return nil
	}
	trial := &pass{Snapshot: p.Snapshot}
	trial.Session = of
	of.Status.DeepCopyInto(&trial.plan.Status)
	trial.status().Class = p.status().Class.DeepCopy()
	trial.record(target, begin(&of.Spec, of.Status.Class, trial.ttl(), p.Now, trial.targetDeadline(target.pod)))
	action, err := trial.build(target, trial.status())
	if err != nil {
		return err
	}
	if approval.StandsFor(request.Hash, p.HashKey, &of.Spec, of.Status.Class, "", trial.payload(action, target)) {
		return nil
	}
	return refuse(v1alpha1.ReasonTargetChanged,
		"the debugger of %s would differ from what the approvers of session %q saw of another pod (its status.request.preview): the pods are not of one template, or the operator has changed since; "+
			"apply a session for this pod", target, of.Name)
}

var errParentUnread = errors.New("the session that this is a member of was not read")
