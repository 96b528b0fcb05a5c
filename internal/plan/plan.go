package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
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

// Action is one change to the cluster. The set is closed.
//
//sumtype:decl
type Action interface{ effect() Effect }

// Effect is what kind of change an action is. What is asked before it, and what follows if it fails, goes by that, so that no
// action can be forgotten.
type Effect int

const (
	// Creates is an action that adds to the cluster what a session that has ended would leave behind.
	Creates Effect = iota + 1

	// Removes is an action that takes something away. A session does not say that it is gone before it is.
	Removes

	// Changes is an action that has what was made keep to something else. Like Creates it must not rest on a status that is out of date.
	Changes

	// Bookkeeping is an action on the session itself.
	Bookkeeping
)

// EffectOf returns what kind of change an action is.
func EffectOf(action Action) Effect { return action.effect() }

type (
	// AddFinalizer puts the finalizer on the session.
	AddFinalizer struct{}

	// RemoveFinalizer lets the session go.
	RemoveFinalizer struct{}

	// InjectDebugger adds an ephemeral container to a pod, if it still is the pod of that UID.
	InjectDebugger struct {
		Pod       types.NamespacedName
		UID       types.UID
		Container corev1.EphemeralContainer
	}

	// CreatePod creates the session's own pod. If a pod of its name exists and belongs to this session, that is the one.
	CreatePod struct{ Pod *corev1.Pod }

	// IsolatePod makes the NetworkPolicy that cuts off the pod that is made next. If it is there as it should be, all is well.
	IsolatePod struct{ Policy *networkingv1.NetworkPolicy }

	// LiftIsolation deletes that policy, whose name no other session can have; with a UID, if it still is the one of it.
	LiftIsolation struct {
		Name string
		UID  types.UID
	}

	// ReplaceOriginal deletes the target, if it still is the pod of that UID.
	ReplaceOriginal struct {
		Pod types.NamespacedName
		UID types.UID
	}

	// GiveAccess lets the subjects reach a pod: a Role and a RoleBinding of this name, owned by the session.
	GiveAccess struct {
		Name     string
		Pod      string
		Verbs    []v1alpha1.AccessVerb
		Subjects []v1alpha1.Subject
	}

	// TakeAccess removes them.
	TakeAccess struct{ Name string }

	// DeleteRecord deletes the session itself, if it still is the session of that UID.
	DeleteRecord struct{ UID types.UID }

	// StopDebugger ends every process of a debugger's container by running Command in it.
	StopDebugger struct {
		Pod       types.NamespacedName
		UID       types.UID
		Container string
		Command   []string
	}

	// MoveDeadline has a debugger that keeps to a deadline of its own keep to another one, by running Command in its container.
	MoveDeadline struct {
		Pod       types.NamespacedName
		Container string
		To        time.Time
		Command   []string
	}

	// DeletePod deletes the session's own pod, if it still is the pod of that UID.
	DeletePod struct {
		Pod          types.NamespacedName
		UID          types.UID
		GraceSeconds int64
	}
)

func (AddFinalizer) effect() Effect    { return Bookkeeping }
func (RemoveFinalizer) effect() Effect { return Bookkeeping }
func (DeleteRecord) effect() Effect    { return Bookkeeping }
func (MoveDeadline) effect() Effect    { return Changes }
func (InjectDebugger) effect() Effect  { return Creates }
func (CreatePod) effect() Effect       { return Creates }
func (IsolatePod) effect() Effect      { return Creates }
func (GiveAccess) effect() Effect      { return Creates }
func (LiftIsolation) effect() Effect   { return Removes }
func (ReplaceOriginal) effect() Effect { return Removes }
func (TakeAccess) effect() Effect      { return Removes }
func (StopDebugger) effect() Effect    { return Removes }
func (DeletePod) effect() Effect       { return Removes }

// Result is how an action went.
type Result struct {
	Action Action

	// Refusal is set when the API server said no, and would say no again.
	Refusal *Refusal

	// Gone is true when the action's pod does not exist any more, or is another pod of the same name.
	Gone bool

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
