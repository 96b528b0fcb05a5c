package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// mode is what differs between the ways to debug. Each has a file of its own: mode_ephemeral.go, mode_copy.go, mode_node.go, mode_pod_network.go;
// what the last three have in common is in mode_made_pod.go.
type mode interface {
	// makesPod reports whether the session has a pod of its own.
	makesPod() bool

	// suits reports whether one of several pods may be chosen.
	suits(target *v1alpha1.Target, pod *corev1.Pod) bool

	// find finds what a session that is not admitted is to debug, and sees that it can be debugged.
	find(p *pass) (*debugTarget, step)

	// record writes down the debugger's names, and what else is fixed when the session is admitted.
	record(p *pass, target *debugTarget, life lifetime)

	// build makes the action that makes the debugger which the session's status records.
	build(p *pass, session *v1alpha1.DebugSession, target *debugTarget) (Action, error)

	// warn writes down what is otherwise with what is made than its author may think.
	warn(p *pass, target *debugTarget, making Action) step

	// pinned is what was recorded as the target, and nothing else of its name.
	pinned(p *pass) (*debugTarget, step)

	// track makes the debugger that is recorded, or follows the one that was made.
	track(p *pass) step

	// look records whether the debugger of a session whose time is up has run, and if not why. What cannot be read keeps nothing
	// from ending.
	look(p *pass) step

	// endedBy finds out whether something else than its command has ended the debugger's container.
	endedBy(p *pass, c container, pod *corev1.Pod) step

	// teardown takes away what was made, and completes the end once nothing is left.
	teardown(p *pass) step

	// repair fills in of an incomplete status what teardown needs.
	repair(p *pass)

	// targetFiles is where the debugger, which runs in that pod, finds the files of its target's container; empty if it has none.
	targetFiles(pod *corev1.Pod) string
}

// modes are all that there are.
var modes = map[v1alpha1.Mode]mode{
	v1alpha1.ModeEphemeralContainer: ephemeralMode{},
	v1alpha1.ModePodCopy:            copyMode{madePod{noun: "copy"}},
	v1alpha1.ModeNode:               nodeMode{madePod{noun: "debugger's pod"}},
}

func modeOf(spec *v1alpha1.DebugSessionSpec) mode {
	if spec.HasMembers() {
		return membersMode{modeOfOne(spec)}
	}
	return modeOfOne(spec)
}

// modeOfOne is the mode of a session of one pod, or of each member of a session.
func modeOfOne(spec *v1alpha1.DebugSessionSpec) mode {
	if spec.Mode == v1alpha1.ModePodCopy && spec.Target.IsAlone() {
		return copyMode{madePod{noun: "debugger's pod"}} // a copy of nothing
	}
	if spec.Mode == v1alpha1.ModeNode && spec.Target.IsPodNetwork() {
		return podNetworkMode{madePod{noun: "debugger's pod"}}
	}
	if m, known := modes[spec.Mode]; known {
		return m
	}
	return unknownMode{copyMode{madePod{noun: "debugger's pod"}}, spec.Mode}
}

func (p *pass) mode() mode { return modeOf(p.spec()) }

// makesPod reports whether the session has a pod of its own: a copy, or one on a node.
func makesPod(spec *v1alpha1.DebugSessionSpec) bool { return modeOf(spec).makesPod() }

// FollowedPod is the name of the pod that is followed for as long as a session is active; empty if none is: a pod of its own is in the cache of
// those.
func FollowedPod(session *v1alpha1.DebugSession) string {
	status := &session.Status
	if makesPod(&session.Spec) || status.Phase != v1alpha1.PhaseActive || status.Target == nil {
		return ""
	}
	return status.Target.PodName
}

// MadePod is the name of the pod that a session which has not ended has for its own; empty if it has none.
func MadePod(session *v1alpha1.DebugSession) string {
	status := &session.Status
	if !makesPod(&session.Spec) || status.Phase == v1alpha1.PhaseEnded || status.Debugger == nil {
		return ""
	}
	return status.Debugger.PodName
}

// unknownMode is one of another version of the operator. Nothing is made for it, and nothing is called gone: this version cannot tell.
type unknownMode struct {
	copyMode
	name v1alpha1.Mode
}

func (m unknownMode) err() error {
	return fmt.Errorf("this version of the operator does not support mode %q", m.name)
}

func (m unknownMode) find(*pass) (*debugTarget, step) {
	return nil, stall{v1alpha1.ReasonOperatorFault, m.err().Error(), m.err()}
}

func (m unknownMode) track(*pass) step { return retry{m.err()} }

func (unknownMode) look(*pass) step { return nil }

func (m unknownMode) teardown(*pass) step { return markUnknown{"the debugger", m.err()} }
