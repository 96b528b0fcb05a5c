package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/meta"
)

// AwaitsReview reports whether the session started before its approval, and was not reviewed since.
func (s *DebugSessionStatus) AwaitsReview() bool {
	return s.Review != nil && s.Review.Decision == ""
}

// ReviewOverdue reports whether the session says that it was not reviewed in time.
func (s *DebugSessionStatus) ReviewOverdue() bool {
	reviewed := meta.FindStatusCondition(s.Conditions, ConditionReviewed)
	return s.AwaitsReview() && reviewed != nil && reviewed.Reason == ReasonReviewOverdue
}
