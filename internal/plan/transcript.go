package plan

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// A transcript is made of the debugger's log, which goes with its pod: a pod that was made is not deleted before its log is read, within a
// bound; and what names the transcript, the record, waits for it. Neither is asked about where no transcript is kept.

const (
	// logReadTimeout is how long a pod that was made, and in which something runs, stays for its log.
	logReadTimeout = 10 * time.Second

	// TranscriptTimeout is how long a log is waited for that cannot be read. Then the transcript is what could be.
	TranscriptTimeout = 2 * time.Minute
)

// TranscriptState is what a process knows of a session's transcript.
type TranscriptState struct {
	CaughtUp bool                       // the log is followed, and read as far as there is any
	Read     bool                       // the log is read to its end
	Stored   *v1alpha1.TranscriptStatus // what it is; nil if it is not complete yet
	Failure  string                     // why it could not be stored
}

// transcriptGranted is what becomes of what the debugger prints, of a session that has not started: what its class says now, or what it
// said before if that was stricter.
func (p *pass) transcriptGranted(before, class v1alpha1.TranscriptPolicy) v1alpha1.TranscriptPolicy {
	switch {
	case before == v1alpha1.TranscriptRequired, class == v1alpha1.TranscriptRequired:
		return v1alpha1.TranscriptRequired
	case before != v1alpha1.TranscriptBestEffort && class != v1alpha1.TranscriptBestEffort:
		return class
	case p.AuditStore:
		return v1alpha1.TranscriptBestEffort
	default:
		return v1alpha1.TranscriptNone
	}
}

// warnOfNoTranscript says of a session whose class wants a transcript that none is kept.
func (p *pass) warnOfNoTranscript() {
	if p.Class.value.Spec.Transcript != v1alpha1.TranscriptBestEffort || p.status().Transcribed() {
		return
	}
	p.status().Warnings = debugpod.Warnings(append(p.status().Warnings, fmt.Sprintf(
		"the debugger's output is not recorded: class %q has transcript: BestEffort, but the operator has no audit store (--audit-store=URL)", p.status().Class.Name)))
}

// recordedNote is how messages end that tell somebody of a debugger what it prints is kept of.
func (p *pass) recordedNote() string {
	if !p.status().Transcribed() {
		return ""
	}
	return "; its output is recorded"
}

// logRead has a pod that is to be deleted wait until its log is read: of a debugger that runs as far as there is any, for what comes
// after is read while the pod ends. It waits for a moment at most, and not past the hard deadline; longer only when nothing runs any more.
func (p *pass) logRead(c container, pod *corev1.Pod) step {
	ending := p.condition(v1alpha1.ConditionEnded)
	if !p.Session.Status.LeavesTranscript() || ending == nil {
		return nil
	}
	until := ending.LastTransitionTime.Add(logReadTimeout)
	if hard := p.status().HardDeadline; hard != nil && hard.Time.Before(until) {
		until = hard.Time
	}
	if stopped(pod) {
		until = ending.LastTransitionTime.Add(TranscriptTimeout)
	}
	switch {
	case !p.Now.Before(until):
		return nil
	case p.Transcript.state == unasked:
		return ask{ReadTranscript{}}
	case p.Transcript.value.Read, p.Transcript.value.CaughtUp && c.ended == nil:
		return nil
	}
	p.wake(until)
	return pause{}
}

// stopped reports whether no container of a pod runs, or will.
func stopped(pod *corev1.Pod) bool {
	runs := func(c corev1.ContainerStatus) bool { return c.State.Running != nil }
	status := &pod.Status
	return hasFinished(pod) && !slices.ContainsFunc(
		slices.Concat(status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses), runs)
}

// transcriptStored has a session that is over wait for its transcript. It is written down before the record is made, which names it.
func (p *pass) transcriptStored() step {
	if !p.Session.Status.LeavesTranscript() || p.status().Transcript != nil {
		return nil
	}
	state, stop := need(p.Transcript, ReadTranscript{}, nil, retryReading("the state of the transcript"))
	switch {
	case stop != nil:
		return stop
	case state.Stored != nil:
		p.status().Transcript = state.Stored
		return waitRecord{v1alpha1.ReasonRecording, recordOnItsWay}
	case state.Failure != "":
		return waitRecord{v1alpha1.ReasonNotRecorded, "its transcript, which the record references, cannot be stored: " + state.Failure + "; retrying"}
	default:
		return waitRecord{v1alpha1.ReasonRecording, "its transcript, which the record references, is read and stored first"}
	}
}
