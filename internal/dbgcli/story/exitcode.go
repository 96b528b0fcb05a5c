package story

import (
	"debugsession.dev/operator/api/v1alpha1"
)

// Exit codes of kubectl dbg, beside the debugger's own. They are at the end of what a command may use: 124 is what timeout(1)
// exits with, 126 and above are a shell's.
const (
	ExitError        = 1   // kubectl dbg itself failed, or was not understood
	ExitDenied       = 120 // an approver said no, or the API server refused the session
	ExitTargetGone   = 121 // the target went away
	ExitNeverStarted = 122 // the session can never run as it was written, or did not before its notAfter, or its debugger could not be started
	ExitTerminated   = 123 // somebody ended the session, or took an approval back
	ExitTimedOut     = 124 // what it waited for did not come in time, or its time was up
	ExitInterrupted  = 130 // Ctrl-C while waiting: the session was ended, or left
)

// ExitCodes are the exit codes with their meanings, for the documentation.
func ExitCodes() []Fact {
	return []Fact{
		{"0 to 255", "the debugger's command ended by itself: its own code"},
		{"1", "kubectl dbg failed, or was not understood"},
		{"120", "denied: an approver said no, or the API server refused the session"},
		{"121", "the target went away"},
		{"122", "never started: the session can never run as it was written, or did not before its notAfter, or its debugger could not be started"},
		{"123", "somebody ended the session, or took an approval back"},
		{"124", "timed out: what it waited for did not come in time, or its time was up"},
		{"130", "Ctrl-C while waiting: the session was ended, or left"},
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
