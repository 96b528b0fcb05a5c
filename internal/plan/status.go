package plan

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/policy"
)

// pass is one pass in the making: the snapshot, and the plan that grows. Its methods are the only writers of a status.
type pass struct {
	Snapshot
	plan Plan

	// What gates leave to those after them.
	target           *debugTarget           // what is to be debugged, as it was found
	pods             []corev1.Pod           // those that are to be debugged, of a session with members
	parent           *v1alpha1.DebugSession // of a member, the session that vouches for it
	lasts            time.Duration          // the longest that the approvals let the session last
	revoked          string                 // why they do not let it run any more; empty if they do
	unapproved       bool                   // it starts before its approval, as an emergency
	approvalsUnknown bool                   // they cannot be read: nothing is made or given meanwhile

	pendingDeadline time.Time // what the debugger that keeps to a deadline of its own should keep to; zero: what it keeps to
}

func newPass(s Snapshot) *pass {
	p := &pass{Snapshot: s}
	s.Session.Status.DeepCopyInto(&p.plan.Status)
	p.plan.Status.ObservedGeneration = s.Session.Generation
	p.recordChange()
	return p
}

func (p *pass) spec() *v1alpha1.DebugSessionSpec     { return &p.Session.Spec }
func (p *pass) status() *v1alpha1.DebugSessionStatus { return &p.plan.Status }

func (p *pass) do(a Action) { p.plan.Actions = append(p.plan.Actions, a) }

func (p *pass) wake(at time.Time) {
	if p.plan.WakeAt.IsZero() || at.Before(p.plan.WakeAt) {
		p.plan.WakeAt = at
	}
}

// event tells the user something that this pass made true.
func (p *pass) event(kind, reason, note string) {
	p.plan.Events = append(p.plan.Events, Event{Type: kind, Reason: sanitizeReason(reason), Note: sanitizeMessage(note)})
}

// set keeps the time of a condition that is after the pass what it was before, whatever it was thought to be in between.
func (p *pass) set(conditionType string, status metav1.ConditionStatus, reason, message string) {
	since := *timestamp(p.Now)
	if before := meta.FindStatusCondition(p.Session.Status.Conditions, conditionType); before != nil && before.Status == status {
		since = before.LastTransitionTime
	}
	meta.SetStatusCondition(&p.status().Conditions, metav1.Condition{
		Type: conditionType, Status: status, Reason: sanitizeReason(reason), Message: sanitizeMessage(message),
		ObservedGeneration: p.Session.Generation, LastTransitionTime: since,
	})
}

// condition is the session's condition of that type, as this pass leaves it; nil if there is none. A condition is the API's own statement of a
// fact, so a gate may go by its status, its reason and its transition time. It never goes by a message, which is for people
// (condition_test.go): an end is only repeated in the words that its condition has.
func (p *pass) condition(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(p.status().Conditions, conditionType)
}

func (p *pass) clear(conditionType string) {
	meta.RemoveStatusCondition(&p.status().Conditions, conditionType)
}

// stand records the phase, the one word for it, and what kstatus reads. Reconciling and Stalled are there only while they
// are true, as kstatus wants it.
func (p *pass) stand(phase v1alpha1.Phase, reason, message string) {
	p.status().Phase, p.status().Reason = phase, sanitizeReason(reason)
	ready := metav1.ConditionFalse
	switch {
	case phase == v1alpha1.PhaseActive, reason == v1alpha1.ReasonArmed, phase == v1alpha1.PhaseEnded && !p.failed():
		ready = metav1.ConditionTrue
		p.clear(v1alpha1.ConditionReconciling)
	case phase == v1alpha1.PhaseEnded:
		p.clear(v1alpha1.ConditionReconciling)
		p.set(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, message)
	default:
		p.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, message)
	}
	p.set(v1alpha1.ConditionReady, ready, reason, message)
}

// summarize completes the conditions from what has been decided: whether one can attach, and no message twice.
func (p *pass) summarize() {
	if p.Session.Status.Phase == v1alpha1.PhaseEnded || len(p.status().Conditions) == 0 {
		return
	}
	if p.ran() {
		p.status().Obstacle = nil
	}
	p.sayAttachable()
	decisive := p.status().DecisiveCondition()
	if decisive == nil {
		return
	}
	for i := range p.status().Conditions {
		if c := &p.status().Conditions[i]; c.Type != decisive.Type && repeats(decisive.Message, c.Message) {
			c.Message = v1alpha1.See(decisive)
		}
	}
	if ready := p.condition(v1alpha1.ConditionReady); ready != nil && ready.Message != v1alpha1.See(decisive) {
		p.pointTo(ready)
	}
}

// repeats reports whether a message tells all of another: that begins it, or is too long to be in it by chance.
func repeats(message, other string) bool {
	return strings.HasPrefix(message+"; ", other+"; ") || len(other) > 40 && strings.Contains(message, other)
}

// pointTo has the others not repeat Ready, which says what an end waits for: the condition that decides says what it ends for.
func (p *pass) pointTo(ready *metav1.Condition) {
	for _, other := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionDebuggerReady, v1alpha1.ConditionRecorded} {
		if c := p.condition(other); c != nil && c.Message == ready.Message {
			c.Message = v1alpha1.See(ready)
		}
	}
}

// sayAttachable reports whether the command in status.attach connects now.
func (p *pass) sayAttachable() {
	status := p.status()
	if p.spec().HasMembers() {
		p.set(v1alpha1.ConditionAttachable, metav1.ConditionFalse, status.Reason, "the debuggers are those of the sessions in status.members: attach to one of them")
		return
	}
	if status.Attach == "" || status.Phase != v1alpha1.PhaseActive {
		reason, message := status.Reason, "nobody can attach now"
		decisive := status.DecisiveCondition()
		if status.Phase == v1alpha1.PhaseActive && decisive != nil {
			reason = decisive.Reason // its debugger has just been killed
		}
		if decisive != nil {
			message += ": " + v1alpha1.See(decisive)
		}
		p.set(v1alpha1.ConditionAttachable, metav1.ConditionFalse, reason, message)
		return
	}
	verb, message := v1alpha1.AccessAttach, "run the command in status.attach"
	if !strings.HasPrefix(status.Attach, "kubectl attach ") {
		verb, message = v1alpha1.AccessLogs, "the debugger takes no input: the command in status.attach shows its output"
	}
	if why := policy.CheckVerb(status.Class, verb); why != "" {
		p.set(v1alpha1.ConditionAttachable, metav1.ConditionFalse, v1alpha1.ReasonNotGranted, "the debugger runs, but "+why)
		return
	}
	p.set(v1alpha1.ConditionAttachable, metav1.ConditionTrue, v1alpha1.ReasonRunning, message)
}

// failed reports whether the session ended without having done what it was for.
func (p *pass) failed() bool { return outcomeFailed(p.status().Outcome, p.ran()) }

// outcomeFailed reports whether an outcome is of a session that ended so, and whose debugger ran or did not.
func outcomeFailed(outcome v1alpha1.Outcome, ran bool) bool {
	switch outcome {
	case v1alpha1.OutcomeRejected, v1alpha1.OutcomeDenied, v1alpha1.OutcomeTimedOut, v1alpha1.OutcomeNotStarted, v1alpha1.OutcomeFailed:
		return true
	case v1alpha1.OutcomeTargetGone:
		return !ran
	case v1alpha1.OutcomeCompleted, v1alpha1.OutcomeExpired, v1alpha1.OutcomeTerminated, v1alpha1.OutcomeRevoked:
	}
	return false
}

// warnOnce sends a warning if the condition's reason is news.
func (p *pass) warnOnce(conditionType, reason, note string) {
	if p.news(conditionType, reason) {
		p.event(corev1.EventTypeWarning, reason, note)
	}
}

// warnAnew sends a warning of the obstacle also if its reason is the same and more is told of it: why a container does not start comes to
// light step by step.
func (p *pass) warnAnew(note string) {
	before, obstacle := p.Session.Status.Obstacle, p.status().Obstacle
	if before == nil || *before != *obstacle {
		p.event(corev1.EventTypeWarning, obstacle.Reason, note)
	}
}

// news reports whether the condition had another reason before the pass.
func (p *pass) news(conditionType, reason string) bool {
	before := meta.FindStatusCondition(p.Session.Status.Conditions, conditionType)
	return before == nil || before.Reason != sanitizeReason(reason)
}
