// Package trust tells whether what the operator's admission stamps on sessions and approvals can be believed.
package trust

import (
	"context"
	"fmt"
	"slices"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/plan"
)

// Seal tells what the operator's own admission has stamped: internal/seal.
type Seal interface {
	VerifySession(session *v1alpha1.DebugSession) bool
	VerifyApproval(approval *v1alpha1.DebugApproval) bool
	VerifyUnboundApproval(approval *v1alpha1.DebugApproval) bool
}

// Admission tells what the API server asks before it stores our objects. None of it costs a request.
type Admission interface {
	// InPlace says why what is created now is not stamped and checked, or nil.
	InPlace(ctx context.Context) error
	// LeavesOut says why what is created in a namespace is not; empty if it is.
	LeavesOut(ctx context.Context, namespace string) (string, error)
	// EnforcedSince is since when the API server has held what is stamped against who asks.
	EnforcedSince(ctx context.Context) (time.Time, error)
}

// Session says why it is not known who asked for a session, or nil if the operator's admission stamped its requester. A seal alone
// proves little: whoever reaches the webhook is given one for whom they like. It is worth something where the API server calls the
// webhooks, and has held what they stamped against who created the session.
func Session(ctx context.Context, seal Seal, admission Admission, session *v1alpha1.DebugSession) (*plan.Refusal, error) {
	leftOut, err := admission.LeavesOut(ctx, session.Namespace)
	switch {
	case leftOut != "":
		return untrusted("%s, so the requester of a session here cannot be verified; apply it in another namespace, or ask a cluster administrator to remove that selector "+
			"and apply the session again", leftOut), nil
	case session.Spec.Requester == nil || !seal.VerifySession(session):
		return untrusted("spec.requester was not stamped by the operator's admission webhook with its current key, so the requester cannot be verified; " +
			"check that the webhook is installed (the operator's readiness reports it), then delete the session and apply it again"), nil
	case err != nil:
		return nil, err
	}
	if err := admission.InPlace(ctx); err != nil {
		return nil, err
	}
	since, err := admission.EnforcedSince(ctx)
	if err != nil {
		return nil, err
	}
	if !verifiedBefore(session) && session.CreationTimestamp.Time.Before(since) {
		return untrusted("the session was created before %s, when the API server began to check spec.requester against a session's creator, "+
			"so the requester cannot be verified; delete it and apply it again", since.UTC().Format(time.RFC3339)), nil
	}
	return nil, nil
}

// verifiedBefore reports whether the operator has verified the session's requester before, and so under the policy that was in place then.
// The status is the operator's alone: nobody but it may write that. A class grants nothing to a requester that was not verified; versions
// before requesterVerifiedAt recorded no more than that.
func verifiedBefore(session *v1alpha1.DebugSession) bool {
	return session.Status.RequesterVerifiedAt != nil || session.Status.Class != nil
}

func untrusted(format string, args ...any) *plan.Refusal {
	return &plan.Refusal{Reason: v1alpha1.ReasonNotTrusted, Message: fmt.Sprintf(format, args...)}
}

// Approval is the approval with what the operator's admission vouches for.
func Approval(ctx context.Context, seal Seal, admission Admission, debugApproval *v1alpha1.DebugApproval, session *v1alpha1.DebugSession) approval.Approval {
	return approval.Approval{
		DebugApproval: debugApproval,
		Sealed:        vouched(ctx, seal, admission, debugApproval, session),
		Unbound:       seal.VerifyUnboundApproval(debugApproval),
	}
}

// vouched reports whether the operator's admission vouches for an approval: what has counted for its session goes on to. A
// denial needs no more than its seal, as it permits nothing.
func vouched(ctx context.Context, seal Seal, admission Admission, approval *v1alpha1.DebugApproval, session *v1alpha1.DebugSession) bool {
	if !seal.VerifyApproval(approval) {
		return false
	}
	if approval.Spec.Decision == v1alpha1.DecisionDeny || session != nil && counted(session, approval) {
		return true
	}
	since, err := admission.EnforcedSince(ctx)
	return err == nil && !approval.CreationTimestamp.Time.Before(since)
}

// counted reports whether the session has written the approval down.
func counted(session *v1alpha1.DebugSession, approval *v1alpha1.DebugApproval) bool {
	return session.UID == approval.Spec.SessionUID && slices.ContainsFunc(session.Status.Approvals, func(a v1alpha1.ApprovalStatus) bool {
		return a.Name == approval.Name && a.By == approval.Spec.Approver.Username && a.Decision == approval.Spec.Decision && a.At.Equal(&approval.CreationTimestamp)
	})
}
