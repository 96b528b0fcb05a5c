package plan

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
)

// gate is one thing that a pass looks at. It may record what it has seen and plan actions, and returns nil if the pass may go on;
// else the step that the pass comes to. Each phase has its gates, in their order, in its file: phase_pending.go and so on.
type gate func(*pass) step

// step is where a pass stops: what it asks, what it waits for, how the session ends. It is a value: nothing of it is written into
// the plan until it is taken.
type step interface{ take(p *pass) }

type (
	// ask asks what must be known before the pass can go on.
	ask struct{ question Question }

	// pause waits for what is on its way already: an answer, an action that this pass plans, a time that it is to be woken at.
	pause struct{}

	// wait has a session that is not admitted wait for something, until it has waited too long. With recheck no watch tells of it.
	wait struct {
		reason, message string
		recheck         bool
	}

	// stall has a session that is not admitted wait for what the operator could not do, which is tried again.
	stall struct {
		reason, message string
		err             error
	}

	// waitStarting has an admitted session wait for what its debugger needs in order to start.
	waitStarting struct{ reason, message string }

	// waitEnding has a session that ends wait for what is still there.
	waitEnding struct{ reason, message string }

	// retry tries again what could not be read.
	retry struct{ err error }

	// retryMaking tries again to make the debugger or to give access to it, and says why that failed.
	retryMaking struct{ err error }

	// markUnknown is for a session that ends and of which it cannot be read whether anything is left. That is no reason to call it gone.
	markUnknown struct {
		what string
		err  error
	}

	// reject ends a session that can never run as it is written. Nothing was made.
	reject struct{ refusal *Refusal }

	// beginEnding writes down that the session is to end, and how. The next pass, which sees that persisted, takes things away: should
	// an edit race it, whichever the API server took first has won.
	beginEnding struct {
		outcome         v1alpha1.Outcome
		reason, message string
	}

	// awaitRecord writes down all of a session's end but that it has Ended: what its audit record is made from. Nothing is left.
	awaitRecord markEnded

	// markEnded is the end: of every session, and for ever. Nothing is left.
	markEnded struct {
		outcome         v1alpha1.Outcome
		reason, message string
	}
)

// through takes the pass through gates, up to the first that stops it.
func (p *pass) through(gates []gate) {
	for _, g := range gates {
		if stop := g(p); stop != nil {
			stop.take(p)
			return
		}
	}
}

// need is what was observed. The pass stops if the question has not been asked or answered yet, if the thing is absent and that is
// a step, and if it could not be read.
func need[T any](o Observed[T], question Question, ifAbsent step, ifUnknown func(error) step) (T, step) {
	switch o.state {
	case found:
		return o.value, nil
	case absent:
		return o.value, ifAbsent
	case unknown:
		return o.value, ifUnknown(o.err)
	case awaited:
		return o.value, pause{}
	case unasked:
	}
	return o.value, ask{question}
}

// unreadable has a session that is not admitted wait for what could not be read; nothing is concluded from it. An error that is a
// Refusal is the same however often one reads.
func unreadable(what string) func(error) step {
	return func(err error) step {
		var refusal *Refusal
		if errors.As(err, &refusal) {
			return reject{refusal}
		}
		return stall{v1alpha1.ReasonUnreadable, fmt.Sprintf("cannot read %s: %v", what, err), fmt.Errorf("reading %s: %w", what, err)}
	}
}

// retryReading has an admitted session stay as it is until something can be read.
func retryReading(what string) func(error) step {
	return func(err error) step { return retry{fmt.Errorf("reading %s: %w", what, err)} }
}

// notKnownGone has a session that ends wait until something can be read.
func notKnownGone(what string) func(error) step {
	return func(err error) step { return markUnknown{what, err} }
}

func (s ask) take(p *pass) { p.plan.Ask = s.question }

func (pause) take(*pass) {}

func (s wait) take(p *pass) {
	p.obstruct(s.reason, s.message)
	until := p.waitingSince().Add(StartTimeout)
	if !p.Now.Before(until) {
		waited := fmt.Sprintf("%s; gave up after %s; apply a new session", s.message, v1alpha1.FormatDuration(StartTimeout))
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionFalse, s.reason, waited)
		markEnded{v1alpha1.OutcomeTimedOut, string(v1alpha1.OutcomeTimedOut), waited}.take(p)
		return
	}
	p.recordNamedTarget()
	waits := fmt.Sprintf("%s; waiting until %s", s.message, plaintext.Clock(until))
	if s.reason == v1alpha1.ReasonTargetNotStarted || s.reason == v1alpha1.ReasonTargetNotRunning {
		p.warnAnew(waits)
	} else {
		p.warnOnce(v1alpha1.ConditionAdmissible, s.reason, waits)
	}
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionFalse, s.reason, waits)
	p.stand(v1alpha1.PhasePending, s.reason, waits)
	p.wake(until)
	if at := p.spec().NotAfter; at != nil {
		p.wake(at.Time)
	}
	if s.recheck {
		p.wake(p.Now.Add(recheck))
	}
}

func (s stall) take(p *pass) {
	p.obstruct(s.reason, s.message)
	p.warnOnce(v1alpha1.ConditionAdmissible, s.reason, s.message)
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionUnknown, s.reason, s.message)
	p.stand(v1alpha1.PhasePending, s.reason, s.message)
	p.plan.Retry = s.err
}

// take says what the debugger waits for, and until when.
func (s waitStarting) take(p *pass) {
	p.obstruct(s.reason, s.message)
	until := startBy(p.status())
	message := s.message + triedUntil + plaintext.Clock(until)
	p.warnAnew(message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, s.reason, message)
	p.stand(v1alpha1.PhaseStarting, s.reason, message)
	p.wake(until)
}

// take says what the end waits for where a person looks first, and looks again. What the session ends for stays in the condition Ended.
func (s waitEnding) take(p *pass) {
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, s.reason, s.message)
	p.stand(v1alpha1.PhaseEnding, p.status().Reason, s.message)
	p.wake(p.Now.Add(recheck))
}

func (s retry) take(p *pass) { p.plan.Retry = s.err }

func (s retryMaking) take(p *pass) {
	message := s.err.Error()
	p.obstruct(v1alpha1.ReasonRetrying, message)
	p.warnOnce(v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonRetrying, message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonRetrying, message)
	p.stand(v1alpha1.PhaseStarting, v1alpha1.ReasonRetrying, message)
	p.backOff(s.err)
}

func (s markUnknown) take(p *pass) {
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionUnknown, v1alpha1.ReasonUnreadable, fmt.Sprintf("cannot read %s: %v", s.what, s.err))
	p.plan.Retry = fmt.Errorf("reading %s: %w", s.what, s.err)
	p.wake(p.Now.Add(overdueRetry))
}

func (s reject) take(p *pass) {
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionFalse, s.refusal.Reason, s.refusal.Message)
	markEnded{v1alpha1.OutcomeRejected, s.refusal.Reason, s.refusal.Message}.take(p)
}

func (s beginEnding) take(p *pass) {
	status := p.status()
	status.Attach, status.WaitingFor, status.NextEndWarning = "", p.stillToReview(), nil
	p.set(v1alpha1.ConditionEnded, metav1.ConditionFalse, string(s.outcome), s.message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, string(v1alpha1.PhaseEnding), "the session is ending")
	p.stand(v1alpha1.PhaseEnding, s.reason, s.message)
	p.wake(p.Now.Add(followUp))
}

func (s markEnded) take(p *pass) {
	status := p.status()
	if status.EndedAt == nil {
		status.EndedAt, status.Attach, status.WaitingFor, status.NextEndWarning = timestamp(p.Now), "", p.stillToReview(), nil
		switch {
		case status.Debugger != nil:
			p.recordEnd(s.outcome, s.reason)
		case p.spec().HasMembers() && status.StartedAt != nil:
			p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonGone, hasEnded)
		}
		if p.mustWaitForRecord() {
			awaitRecord(s).take(p)
			return
		}
	}
	status.Outcome = s.outcome
	p.set(v1alpha1.ConditionEnded, metav1.ConditionTrue, string(s.outcome), s.message)
	p.stand(v1alpha1.PhaseEnded, s.reason, s.message)
	kind := corev1.EventTypeNormal
	if p.failed() {
		kind = corev1.EventTypeWarning
	}
	p.event(kind, string(s.outcome), s.message)
	p.plan.WakeAt, p.plan.Retry = time.Time{}, nil
}

// recordEnd writes down of the debugger how it stood when its session ended.
func (p *pass) recordEnd(outcome v1alpha1.Outcome, reason string) {
	status := p.status()
	gone := v1alpha1.ReasonGone
	if status.Debugger.State == "" || status.Debugger.State == v1alpha1.DebuggerWaiting {
		gone = v1alpha1.ReasonNotStarted
	}
	if status.Debugger.State == v1alpha1.DebuggerRunning {
		status.Debugger.State = v1alpha1.DebuggerTerminated
	}
	if status.Debugger.StartedAt != nil && status.Debugger.StoppedBy == "" {
		status.Debugger.StoppedBy = stoppedBy(outcome, reason, status)
	}
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, gone, hasEnded)
}

const hasEnded = "the session has ended"
