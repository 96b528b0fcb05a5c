package plan

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

// Action is one change to the cluster. The set is closed: the controller's act.go performs each.
//
//sumtype:decl
type Action interface {
	// Describe is what messages call the action, such as: creating pod "web".
	Describe() string

	effect() Effect
}

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

// AddFinalizer puts the finalizer on the session.
type AddFinalizer struct{}

func (AddFinalizer) effect() Effect { return Bookkeeping }

// Describe implements Action.
func (AddFinalizer) Describe() string { return "adding the finalizer" }

// RemoveFinalizer lets the session go.
type RemoveFinalizer struct{}

func (RemoveFinalizer) effect() Effect { return Bookkeeping }

// Describe implements Action.
func (RemoveFinalizer) Describe() string { return "removing the finalizer" }

// DeleteSession deletes the session itself, if it still is the session of that UID.
type DeleteSession struct{ UID types.UID }

func (DeleteSession) effect() Effect { return Bookkeeping }

// Describe implements Action.
func (DeleteSession) Describe() string { return "deleting the session" }

// StoreRecord has the audit record of a session that is over stored, and the session looked at when it is. It does not wait.
type StoreRecord struct{}

func (StoreRecord) effect() Effect { return Bookkeeping }

// Describe implements Action.
func (StoreRecord) Describe() string { return "storing the audit record" }

// InjectDebugger adds an ephemeral container to a pod, if it still is the pod of that UID.
type InjectDebugger struct {
	Pod       types.NamespacedName
	UID       types.UID
	Container corev1.EphemeralContainer
}

func (InjectDebugger) effect() Effect { return Creates }

// Describe implements Action.
func (a InjectDebugger) Describe() string {
	return fmt.Sprintf("adding the debugger to pod %q", a.Pod.Name)
}

// CreatePod creates the session's own pod. If a pod of its name exists and belongs to this session, that is the one.
type CreatePod struct {
	Pod  *corev1.Pod
	Held string // its container that is held for its files, whose command is another than was asked for; empty if none is
}

func (CreatePod) effect() Effect { return Creates }

// Describe implements Action.
func (a CreatePod) Describe() string { return fmt.Sprintf("creating pod %q", a.Pod.Name) }

// CreateMember makes a member of the session. If a session of its name exists and is that member, that is the one.
type CreateMember struct{ Session *v1alpha1.DebugSession }

func (CreateMember) effect() Effect { return Creates }

// Describe implements Action.
func (a CreateMember) Describe() string { return fmt.Sprintf("creating session %q", a.Session.Name) }

// DeletePod deletes the session's own pod, if it still is the pod of that UID.
type DeletePod struct {
	Pod          types.NamespacedName
	UID          types.UID
	GraceSeconds int64
}

func (DeletePod) effect() Effect { return Removes }

// Describe implements Action.
func (a DeletePod) Describe() string { return fmt.Sprintf("deleting pod %q", a.Pod.Name) }

// ReplaceOriginal deletes the target, if it still is the pod of that UID.
type ReplaceOriginal struct {
	Pod types.NamespacedName
	UID types.UID
}

func (ReplaceOriginal) effect() Effect { return Removes }

// Describe implements Action.
func (a ReplaceOriginal) Describe() string {
	return fmt.Sprintf("deleting the original pod %q", a.Pod.Name)
}

// CreateNetworkPolicy makes the NetworkPolicy that cuts off the pod that is made next. If it is there as it should be, all is well.
type CreateNetworkPolicy struct{ Policy *networkingv1.NetworkPolicy }

func (CreateNetworkPolicy) effect() Effect { return Creates }

// Describe implements Action.
func (a CreateNetworkPolicy) Describe() string {
	return fmt.Sprintf("creating NetworkPolicy %q", a.Policy.Name)
}

// DeleteNetworkPolicy deletes that policy, whose name no other session can have; with a UID, if it still is the one of it.
type DeleteNetworkPolicy struct {
	Name string
	UID  types.UID
}

func (DeleteNetworkPolicy) effect() Effect { return Removes }

// Describe implements Action.
func (a DeleteNetworkPolicy) Describe() string {
	return fmt.Sprintf("deleting NetworkPolicy %q", a.Name)
}

// GrantAccess lets the subjects reach a pod: a Role and a RoleBinding of this name, owned by the session.
type GrantAccess struct {
	Name     string
	Pod      string
	Verbs    []v1alpha1.AccessVerb
	Subjects []v1alpha1.Subject
}

func (GrantAccess) effect() Effect { return Creates }

// Describe implements Action.
func (GrantAccess) Describe() string { return "granting access" }

// RevokeAccess removes them.
type RevokeAccess struct{ Name string }

func (RevokeAccess) effect() Effect { return Removes }

// Describe implements Action.
func (RevokeAccess) Describe() string { return "revoking access" }

// StopDebugger ends every process of a debugger's container by running Command in it.
type StopDebugger struct {
	Pod       types.NamespacedName
	UID       types.UID
	Container string
	Command   []string
}

func (StopDebugger) effect() Effect { return Removes }

// Describe implements Action.
func (a StopDebugger) Describe() string {
	return fmt.Sprintf("stopping container %q in pod %q", a.Container, a.Pod.Name)
}

// MoveDeadline has a debugger that keeps to a deadline of its own keep to another one, by running Command in its container.
type MoveDeadline struct {
	Pod       types.NamespacedName
	Container string
	To        time.Time
	Command   []string
}

func (MoveDeadline) effect() Effect { return Changes }

// Describe implements Action.
func (MoveDeadline) Describe() string { return "moving the debugger's deadline" }
