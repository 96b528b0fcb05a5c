package plan

import (
	"fmt"

	"debugsession.dev/operator/api/v1alpha1"
)

// Rehearse returns what the status of a session would come to that does not exist yet, up to the moment at which its debugger would be
// made: that the API server is asked to try. Nothing is done.
func Rehearse(s Snapshot, answer func(*Snapshot, Question) error) (*v1alpha1.DebugSessionStatus, error) {
	for range 3 { // the target is chosen, the session is admitted, the debugger is made
		asked, decided, err := Run(s, answer)
		if err != nil {
			return nil, err
		}
		if making := makingOf(decided.Actions); making != nil {
			return tried(asked, making, answer)
		}
		status := &decided.Status
		admitted := status.Phase == v1alpha1.PhaseStarting && s.Session.Status.Phase != v1alpha1.PhaseStarting
		if admitted && s.Session.Spec.HasMembers() || !admitted && status.Reason != v1alpha1.ReasonTargetChosen {
			return status, nil
		}
		s = asked
		s.Session = s.Session.DeepCopy()
		s.Session.Status = *status
	}
	return &s.Session.Status, nil
}

// makingOf is the action that makes the debugger.
func makingOf(actions []Action) Action {
	for _, action := range actions {
		switch action.(type) {
		case InjectDebugger, CreatePod:
			return action
		default:
		}
	}
	return nil
}

// tried is the status of an admitted session whose debugger the API server has been asked to make, as a dry run.
func tried(s Snapshot, making Action, answer func(*Snapshot, Question) error) (*v1alpha1.DebugSessionStatus, error) {
	if err := answer(&s, DryRun{Action: making}); err != nil {
		return nil, err
	}
	p := newPass(s)
	gone := markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), "the target is gone"}
	preview, stop := need(s.Preview, DryRun{Action: making}, gone, unreadable("the API server's dry run"))
	switch {
	case stop != nil && s.Preview.state == unknown:
		return nil, fmt.Errorf("asking the API server: %w", s.Preview.err)
	case stop != nil:
		stop.take(p)
	case preview.Refusal != nil:
		reject{preview.Refusal}.take(p)
	}
	return p.status(), nil
}
