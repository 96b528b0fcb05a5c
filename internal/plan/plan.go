package plan

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

// Plan is what one pass is to do, in this order: the actions, one write of the status, the events.
type Plan struct {
	// Ask is what must be known before anything can be decided. If it is not nil nothing else in the plan counts: answer
	// it in the snapshot, and decide again.
	Ask Question

	Actions []Action

	// Status is what the session's status is to be. If it equals the present one, nothing is written.
	Status v1alpha1.DebugSessionStatus

	// Events are sent once the status has been written.
	Events []Event

	// WakeAt is when the session must be looked at again, if nothing wakes it before. Zero: never.
	WakeAt time.Time

	// Retry is why this pass could not find out or do what it had to. The session is to be looked at again soon, with
	// growing pauses.
	Retry error
}

// Event is something to tell the user, as a Kubernetes Event on the session.
type Event struct {
	Type   string // corev1.EventTypeNormal or Warning
	Reason string
	Note   string
}

// Result is how an action went.
type Result struct {
	Action Action

	// Refusal is set when the API server said no, and would say no again.
	Refusal *Refusal

	// Gone is true when the action's pod does not exist any more, or is another pod of the same name.
	Gone bool

	// Made is the UID of what the action made, or found made.
	Made types.UID

	// Deferred is true when nothing was done yet, as too much is being done already. The session is woken for it.
	Deferred bool

	// Err is set when it is not known whether the action took effect, or when it may work later.
	Err error
}

// Refusal is a denial: a value, not a failure. Message says what was wrong, where, and what to do about it.
type Refusal struct {
	Reason  string
	Message string
}

// Error makes a refusal the error of an Unknown answer: one that reading again would not change.
func (r *Refusal) Error() string { return r.Message }
