package plan

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// A session whose class requires an audit record ends as any other: its access goes, and its debugger. When nothing is left, all of
// its end is written down but the phase, so that the record is the same at each try; and the phase follows when the record is stored.

// recordRequired reports whether the session must not go before its record is stored.
func (p *pass) recordRequired() bool {
	class := p.status().Class
	return class != nil && class.Audit == v1alpha1.AuditRequired
}

// mustWaitForRecord reports whether a session that is over has to wait. Where there is no store one that was never admitted does not,
// for nothing was made for it.
func (p *pass) mustWaitForRecord() bool {
	return p.recordRequired() && (p.AuditStore || wasAdmitted(&p.Session.Status) || p.status().StartedAt != nil)
}

// lacksStore says for what the session needs a store that there is not; empty if it needs none, or there is one.
func (p *pass) lacksStore() string {
	if p.AuditStore {
		return ""
	}
	return WithoutStore(p.spec(), p.recordRequired())
}

// WithoutStore says for what a session waits where there is no store; empty if it needs none.
func WithoutStore(spec *v1alpha1.DebugSessionSpec, recordRequired bool) string {
	switch {
	case recordRequired:
		return fmt.Sprintf("class %q requires an audit record, but the operator has no audit store: ask an administrator to start it with --audit-store=URL, "+
			"or to set audit: BestEffort in the class", spec.ClassName)
	case len(spec.Debugger.Artifacts) > 0:
		return "the session keeps artifacts, but the operator has no audit store for them: ask an administrator to start it with " +
			"--audit-store=URL, or apply a session without debugger.artifacts"
	}
	return ""
}

// storable has a session wait while there is no store for the record that it must leave, or for the files that it keeps.
func (p *pass) storable() step {
	if why := p.lacksStore(); why != "" {
		return wait{reason: v1alpha1.ReasonNoAuditStore, message: why}
	}
	return nil
}

// recordStored ends a session of which nothing is left when its record is stored, and has that stored.
func (p *pass) recordStored() step {
	if p.status().EndedAt == nil {
		return nil
	}
	over := p.over()
	if !p.AuditStore {
		return waitRecord{v1alpha1.ReasonNoAuditStore, "the operator no longer has an audit store: ask an administrator to start it with --audit-store=URL"}
	}
	if stop := p.transcriptStored(); stop != nil {
		return stop
	}
	record, stop := need(p.Record, ReadRecord{}, nil, retryReading("the state of the audit record"))
	switch {
	case stop != nil:
		return stop
	case record.Stored != nil:
		p.status().Audit = record.Stored
		p.set(v1alpha1.ConditionRecorded, metav1.ConditionTrue, v1alpha1.ReasonRecorded, "the audit record is stored as "+record.Stored.Key)
		return over
	}
	if !p.hasFinalizer() && p.Session.DeletionTimestamp == nil {
		p.do(AddFinalizer{}) // whoever took it away wanted the session gone without a record
	}
	if !record.Known {
		p.do(StoreRecord{})
	}
	if record.Failure != "" {
		return waitRecord{v1alpha1.ReasonNotRecorded, "cannot write to the audit store: " + record.Failure + "; retrying"}
	}
	return waitRecord{v1alpha1.ReasonRecording, recordOnItsWay}
}

const (
	waitsForRecord = "is over, but stays Ending until its audit record is stored: "
	recordOnItsWay = "in progress"
)

// NotStored says of a session that has ended, and does not have to wait for its record, that the record could not be stored.
func NotStored(answer string) string {
	return sanitizeMessage("the session's audit record is not stored yet: cannot write to the audit store: " + answer +
		"; retrying; it is in the operator's log, which is all that the class requires (audit: BestEffort)")
}

// ReviewNotStored says that of the record of a review that came after the end.
func ReviewNotStored(answer string) string {
	return sanitizeMessage("the record of the session's review is not stored yet: cannot write to the audit store: " + answer + "; retrying; it is in the operator's log")
}

// over is the end that was written down.
func (p *pass) over() markEnded {
	end := markEnded{outcome: v1alpha1.OutcomeFailed, reason: cmp.Or(p.status().Reason, v1alpha1.ReasonInvalid), message: statusLost}
	if ended := p.condition(v1alpha1.ConditionEnded); ended != nil {
		end.outcome, end.message = v1alpha1.Outcome(ended.Reason), ended.Message
	}
	return end
}

func (s awaitRecord) take(p *pass) {
	p.set(v1alpha1.ConditionEnded, metav1.ConditionFalse, string(s.outcome), s.message)
	p.status().Reason = sanitizeReason(s.reason)
	p.plan.WakeAt, p.plan.Retry = time.Time{}, nil
	waitRecord{v1alpha1.ReasonRecording, recordOnItsWay}.take(p)
}

// waitRecord has a session of which nothing is left wait until its record is stored.
type waitRecord struct{ reason, message string }

func (s waitRecord) take(p *pass) {
	if p.news(v1alpha1.ConditionRecorded, s.reason) && s.reason != v1alpha1.ReasonRecording {
		p.event(corev1.EventTypeWarning, s.reason, "the session "+waitsForRecord+s.message)
	}
	message := "it " + waitsForRecord + s.message
	p.set(v1alpha1.ConditionRecorded, metav1.ConditionFalse, s.reason, message)
	p.stand(v1alpha1.PhaseEnding, p.status().Reason, message)
}
