package plan

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/plaintext"
)

// Conclude completes a plan with how its actions went: what was refused, what has gone, what has to be tried again. Like
// Decide it is pure. An action that worked adds nothing but the UID of what it made: what it did is seen by the next pass.
func Conclude(s Snapshot, plan Plan, results []Result) Plan {
	p := &pass{Snapshot: s, plan: plan}
	p.plan.Events = append([]Event(nil), plan.Events...)
	plan.Status.DeepCopyInto(&p.plan.Status)
	for _, result := range results {
		switch action := result.Action.(type) {
		case GrantAccess:
			p.concludeGiving(result)
		case MoveDeadline:
			p.concludeMoving(action, result)
		case ReplaceOriginal:
			p.concludeReplacing(result)
		case StopDebugger:
			p.concludeStopping(action, result)
		case CreateMember:
			p.concludeMember(action, result)
		case CreatePod:
			p.concludePod(result)
		default:
			p.concludeByEffect(result)
		}
	}
	p.summarize()
	return p.plan
}

// concludeByEffect is for an action after which nothing special follows.
func (p *pass) concludeByEffect(result Result) {
	switch EffectOf(result.Action) {
	case Creates:
		p.concludeMaking(result)
	case Removes:
		p.concludeTaking(result)
	case Changes, Bookkeeping:
		p.concludeChanging(result)
	}
}

// concludeChanging has what did not work tried again, and what is not there looked for: the next pass sees that it has gone.
func (p *pass) concludeChanging(result Result) {
	switch {
	case result.Refusal != nil:
		p.backOff(fmt.Errorf("%s: %w", result.Action.Describe(), result.Refusal))
	case result.Gone:
		p.wake(p.Now.Add(time.Second))
	default:
		p.backOff(result.Err)
	}
}

func (p *pass) concludeMaking(result Result) {
	what := result.Action.Describe()
	switch {
	case result.Refusal != nil:
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionFalse, result.Refusal.Reason, result.Refusal.Message)
		p.end(v1alpha1.OutcomeRejected, result.Refusal.Reason, result.Refusal.Message).take(p)
	case result.Gone:
		p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone),
			fmt.Sprintf("%s: the pod was deleted or replaced before it could be debugged", what)).take(p)
	case result.Err != nil:
		retryMaking{fmt.Errorf("%s failed, retrying: %w", what, result.Err)}.take(p)
	}
}

// concludePod records which pod was made with what is written next, as it may be gone before it is seen.
func (p *pass) concludePod(result Result) {
	p.concludeMaking(result)
	if result.Refusal == nil && result.Made != "" {
		p.status().Debugger.PodUID = result.Made
	}
}

var errNowhere = errors.New("the API server reports that the namespace does not exist")

// concludeGiving keeps a session from being called active while nobody can reach its debugger.
func (p *pass) concludeGiving(result Result) {
	if result.Gone { // there is no pod in this action: what is not there is the namespace, or what serves roles
		result.Gone, result.Err = false, errNowhere
	}
	if result.Refusal == nil && result.Err == nil {
		return
	}
	p.plan.Events = nil
	p.status().Attach = ""
	if result.Refusal != nil {
		p.end(v1alpha1.OutcomeFailed, result.Refusal.Reason, "granting access: "+result.Refusal.Message).take(p)
		return
	}
	p.concludeMaking(result)
}

// concludeMoving has the session end when the debugger keeps to that. One that could not be told ends when it would have: before a
// later end, but not after an earlier one, for the operator ends it then.
func (p *pass) concludeMoving(action MoveDeadline, result Result) {
	status := p.status()
	before := status.ExpiresAt.Time
	switch {
	case result.Gone: // its container has ended, as the watch is about to tell
		return
	case result.Deferred:
		return
	case result.Refusal != nil:
		result.Err = result.Refusal
	case result.Err == nil:
		status.Debugger.Deadline = timestamp(action.To)
		p.moveEnd(action.To)
		if p.plan.WakeAt.Equal(before) {
			p.plan.WakeAt = action.To
		}
		return
	}
	reason := v1alpha1.ReasonNotExtended
	message := fmt.Sprintf("cannot extend the debugger's deadline to %s; it still ends at %s; retrying: %v", plaintext.Clock(action.To), plaintext.Clock(before), result.Err)
	if !action.To.After(before) {
		reason = v1alpha1.ReasonNotShortened
		message = fmt.Sprintf("cannot shorten the debugger's deadline to %s; the operator ends it then, or, if the operator is down, it ends itself at %s at the latest; retrying: %v",
			plaintext.Clock(action.To), plaintext.Clock(status.Debugger.Deadline.Time), result.Err)
	}
	p.warnOnce(v1alpha1.ConditionDebuggerReady, reason, message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionTrue, reason, message)
	p.backOff(fmt.Errorf("moving the debugger's deadline: %w", result.Err))
}

// concludeStopping finds that a debugger which is unstoppable cannot be stopped. There is no point in trying that again.
func (p *pass) concludeStopping(action StopDebugger, result Result) {
	if p.unstoppable() && result.Err != nil && diagnosis.LacksShell(result.Err.Error()) {
		p.outlast(action.Container, action.Pod.Name)
		return
	}
	p.concludeTaking(result)
}

// concludeTaking keeps a session in Ending, and says why it is still there.
func (p *pass) concludeTaking(result Result) {
	what := result.Action.Describe()
	switch {
	case result.Refusal != nil:
		p.stillThere(fmt.Errorf("%s was refused: %s", what, result.Refusal.Message))
	case result.Err != nil:
		p.stillThere(fmt.Errorf("%s: %w", what, result.Err))
	case result.Gone:
		p.wake(p.Now.Add(time.Second)) // see that it is gone, and say so; a node that is starting says so of what is there
	}
}

func (p *pass) stillThere(err error) {
	message := fmt.Sprintf("%v; retrying", err)
	p.warnOnce(v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonStillRunning, message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonStillRunning, message)
	p.backOff(err)
	p.plan.WakeAt = p.Now.Add(overdueRetry) // also what was to follow at once waits for what failed
}

// backOff has what failed tried again, with pauses: what was to follow it at once waits for it.
func (p *pass) backOff(err error) {
	if err == nil {
		return
	}
	if p.plan.Retry == nil {
		p.plan.Retry = err
	}
	if p.plan.WakeAt.IsZero() || p.plan.WakeAt.After(p.Now) {
		return
	}
	p.plan.WakeAt = p.Now.Add(recheck)
	if end := p.status().ExpiresAt; end != nil && end.After(p.Now) {
		p.wake(end.Time)
	}
}
