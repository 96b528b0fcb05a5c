package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// Snapshot is the session, the time, and the answers to the questions that Decide has asked so far.
type Snapshot struct {
	Session *v1alpha1.DebugSession
	Now     time.Time

	// Candidates are the pods of a workload or selector: the answer to ListCandidates.
	Candidates Observed[[]corev1.Pod]

	// Target is the pod being debugged, or to be: the answer to ReadTarget.
	Target Observed[*corev1.Pod]

	// Copy is the pod of the recorded name, in mode PodCopy: the answer to ReadCopy.
	Copy Observed[*corev1.Pod]
}

// Question is something that Decide must know before it can decide. The set is closed.
type Question interface{ question() }

type (
	// ListCandidates asks for the pods of spec.target's workload or selector.
	ListCandidates struct{}

	// ReadTarget asks for a pod by name. It may be answered from a watch, which then goes on: the session is woken when
	// the pod changes. If Fresh, the API server itself must be asked.
	ReadTarget struct {
		Name  string
		Fresh bool
	}

	// ReadCopy asks for the pod of the copy's name. It may be answered from a cache of the pods that the operator made.
	// If Fresh, the API server itself must be asked.
	ReadCopy struct {
		Name  string
		Fresh bool
	}
)

func (ListCandidates) question() {}
func (ReadTarget) question()     {}
func (ReadCopy) question()       {}

// Observed is the answer to a question: found, absent, awaited or unknown. The zero value is a question not asked yet.
type Observed[T any] struct {
	value T
	state observation
	fresh bool
	err   error
}

type observation int

const (
	unasked observation = iota
	awaited
	found
	absent
	unknown
)

// Found is the answer that the thing exists.
func Found[T any](value T) Observed[T] { return Observed[T]{value: value, state: found} }

// Absent is the answer that the thing does not exist.
func Absent[T any]() Observed[T] { return Observed[T]{state: absent} }

// Awaited means that no answer came yet, and that the session will be woken when it does.
func Awaited[T any]() Observed[T] { return Observed[T]{state: awaited} }

// Unknown means that the thing could not be read, and why.
func Unknown[T any](err error) Observed[T] { return Observed[T]{state: unknown, err: err} }

// Fresh marks an answer as the API server's own, rather than a cache's.
func (o Observed[T]) Fresh() Observed[T] {
	o.fresh = true
	return o
}
