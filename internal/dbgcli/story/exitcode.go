package story

import (
	"debugsession.dev/operator/api/v1alpha1"
)

// Exit codes of kubectl dbg, beside the debugger's own. They are at the end of what a command may use: 124 is what timeout(1)
// exits with, 126 and above are a shell's.
const (
	ExitError        = 1   // kubectl dbg itself failed, or was used incorrectly
	ExitDenied       = 120 // an approver denied the session, or the API server refused it
	ExitTargetGone   = 121 // the target went away
	ExitNeverStarted = 122 // the session can never run as written, did not start before its notAfter, or its debugger could not be started
	ExitTerminated   = 123 // someone ended the session, or revoked an approval
	ExitTimedOut     = 124 // what it was waiting for did not happen in time, or its time was up
	ExitInterrupted  = 130 // Ctrl-C while waiting: the session was ended, or left open
)

// ExitCodes are the exit codes with their meanings, for the documentation.
func ExitCodes() []Fact {
	return []Fact{
		{"0 to 255", "the debugger's command exited on its own: its exit code"},
		{"1", "kubectl dbg failed, or was used incorrectly"},
		{"120", "denied: an approver denied the session, or the API server refused it"},
		{"121", "the target went away"},
		{"122", "never started: the session can never run as written, did not start before its notAfter, or its debugger could not be started"},
		{"123", "someone ended the session, or revoked an approval"},
		{"124", "timed out: what it was waiting for did not happen in time, or its time was up"},
		{"130", "Ctrl-C while waiting: the session was ended, or left open"},
	}
}

// ExitCode is what kubectl dbg exits with when a session has ended: the command's own code where it ran to its end.
func ExitCode(session *v1alpha1.DebugSession) int {
	switch outcome := outcomeOf(session); outcome {
	case v1alpha1.OutcomeCompleted:
		if at := session.Status.Debugger; at != nil && at.ExitCode != nil {
			return int(*at.ExitCode)
		}
		return 0
	case v1alpha1.OutcomeDenied:
		return ExitDenied
	case v1alpha1.OutcomeTargetGone:
		return ExitTargetGone
	case v1alpha1.OutcomeTerminated, v1alpha1.OutcomeRevoked:
		return ExitTerminated
	case v1alpha1.OutcomeExpired, v1alpha1.OutcomeTimedOut:
		return ExitTimedOut
	default: // Rejected, Failed, and what later versions call a debugger that never ran
		return ExitNeverStarted
	}
}

// outcomeOf is the outcome, or the outcome to come of a session that is Ending.
func outcomeOf(session *v1alpha1.DebugSession) v1alpha1.Outcome {
	if session.Status.Outcome != "" {
		return session.Status.Outcome
	}
	for i := range session.Status.Conditions {
		if c := &session.Status.Conditions[i]; c.Type == v1alpha1.ConditionEnded {
			return v1alpha1.Outcome(c.Reason)
		}
	}
	return ""
}
