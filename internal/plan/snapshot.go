package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// Snapshot is what was read for one pass.
type Snapshot struct {
	Session *v1alpha1.DebugSession

	// Candidates are the pods of a workload or selector, read until one of them has been chosen.
	Candidates Observed[[]corev1.Pod]

	// Target is the pod being debugged, or to be.
	Target Observed[*corev1.Pod]

	// Copy is the pod of the recorded name, in mode PodCopy.
	Copy Observed[*corev1.Pod]

	Now time.Time
}

// Observed is the answer to one read: found, absent, awaited or unknown. The zero value is a read that was not made, and
// counts as awaited.
type Observed[T any] struct {
	value T
	state observation
	err   error
}

type observation int

const (
	awaited observation = iota
	found
	absent
	unknown
)

// Found is the answer that the thing exists.
func Found[T any](value T) Observed[T] { return Observed[T]{value: value, state: found} }

// Absent is the answer that the thing does not exist.
func Absent[T any]() Observed[T] { return Observed[T]{state: absent} }

// Awaited means that no answer came yet, and that the caller will be woken when it does.
func Awaited[T any]() Observed[T] { return Observed[T]{state: awaited} }

// Unknown means that the thing could not be read, and why.
func Unknown[T any](err error) Observed[T] { return Observed[T]{state: unknown, err: err} }

// Reads says which reads a session needs in a pass. The zero value means none: a settled session costs nothing.
type Reads struct {
	// Candidates: list the pods of spec.target's workload or selector.
	Candidates bool

	// Target names the pod to watch.
	Target string

	// Copy names the copy.
	Copy string

	// Live asks the API server itself rather than a cache: what is being ended is called gone on fresh evidence only.
	Live bool
}

// Needs returns the reads that Decide will look at for this session.
func Needs(session *v1alpha1.DebugSession) Reads {
	status := &session.Status
	if status.Phase == v1alpha1.PhaseEnded {
		return Reads{}
	}
	if status.StartedAt == nil {
		switch {
		case session.DeletionTimestamp != nil || session.Spec.End:
			return Reads{} // nothing was made, and nothing will be
		case session.Spec.Target.PodName != "":
			return Reads{Target: session.Spec.Target.PodName}
		case status.Target != nil:
			return Reads{Target: status.Target.PodName}
		default:
			return Reads{Candidates: true}
		}
	}
	reads := Reads{Live: status.Phase == v1alpha1.PhaseEnding}
	if session.Spec.Mode == v1alpha1.ModePodCopy {
		reads.Copy = status.Debugger.PodName
		if status.Debugger.PodUID == "" && !reads.Live {
			reads.Target = status.Target.PodName // until the copy is made
		}
		return reads
	}
	reads.Target = status.Target.PodName
	return reads
}
