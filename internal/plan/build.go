package plan

import (
	"errors"
	"fmt"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/policy"
)

// build makes the action that makes the debugger which the status records. A *Refusal is about the session; any other error
// is a fault of the operator.
func (p *pass) build(target *debugTarget, status *v1alpha1.DebugSessionStatus) (Action, error) {
	session := *p.Session
	session.Status = *status
	session.Spec.Profile, session.Spec.Debugger.Image = status.Class.Profile, status.Class.Image
	action, err := p.mode().build(p, &session, target)
	if err != nil {
		return nil, refusalOf(&session, err)
	}
	if why := checkMade(&session, action, target); why != "" {
		return nil, classForbids(why)
	}
	return action, nil
}

// checkMade says why the class does not allow what would be made; empty if it does.
func checkMade(session *v1alpha1.DebugSession, making Action, target *debugTarget) string {
	if inject, ephemeral := making.(InjectDebugger); ephemeral {
		return policy.CheckAdded(session, &inject.Container, target.pod)
	}
	return policy.CheckCreated(session, &making.(CreatePod).Pod.Spec)
}

// buildApproved is build, held against what was approved.
func (p *pass) buildApproved(target *debugTarget, status *v1alpha1.DebugSessionStatus) (Action, error) {
	action, err := p.build(target, status)
	if err != nil {
		return nil, err
	}
	if err := p.verifyApprovedPayload(target, action); err != nil {
		return nil, err
	}
	return action, nil
}

// refusalOf turns a builder's error about the session into a *Refusal, and leaves any other as it is.
func refusalOf(session *v1alpha1.DebugSession, err error) error {
	var invalid *debugpod.InvalidError
	var forbidden *debugpod.ForbiddenError
	switch {
	case errors.As(err, &invalid):
		return &Refusal{Reason: v1alpha1.ReasonInvalid, Message: invalid.Error()}
	case errors.As(err, &forbidden):
		return classForbids(fmt.Sprintf("class %q: %s", session.Spec.ClassName, forbidden.Error()))
	default:
		return err
	}
}

// cannotBuild rejects a session that can never be built as it is written. A fault of the operator is not the session's: it
// waits, and the operator that comes after this one may know better.
func cannotBuild(err error) step {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return reject{refusal}
	}
	message := fmt.Sprintf("internal error: the operator cannot build the debugger: %v", err)
	return stall{v1alpha1.ReasonOperatorFault, message, fmt.Errorf("building the debugger: %w", err)}
}
