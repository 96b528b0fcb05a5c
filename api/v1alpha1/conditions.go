package v1alpha1

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// decisiveConditions are the conditions that say what there is to say in each phase. The others refer to them.
var decisiveConditions = map[Phase]string{
	PhasePending:          ConditionAdmissible,
	PhaseAwaitingApproval: ConditionApproved,
	PhaseStarting:         ConditionDebuggerReady,
	PhaseActive:           ConditionDebuggerReady,
	PhaseEnding:           ConditionEnded,
	PhaseEnded:            ConditionEnded,
}

// seeCondition begins the message of a condition that refers to another.
const seeCondition = "see condition "

// See is the message of a condition that refers to another, so that the same words stand once.
func See(c *metav1.Condition) string { return seeCondition + c.Type }

// DecisiveCondition is the condition that says why the session stands where it does; nil if the operator has not said yet.
func (s *DebugSessionStatus) DecisiveCondition() *metav1.Condition {
	return meta.FindStatusCondition(s.Conditions, decisiveConditions[s.Phase])
}

// Message says why the session stands where it does; it is empty if the operator has not said yet. While it ends, that is what it ends
// for, and what its end waits for, which Ready says.
func (s *DebugSessionStatus) Message() string {
	decisive := s.DecisiveCondition()
	if decisive == nil {
		return ""
	}
	ready := meta.FindStatusCondition(s.Conditions, ConditionReady)
	if s.Phase == PhaseEnding && ready != nil && !strings.HasPrefix(ready.Message, seeCondition) {
		return decisive.Message + "; " + ready.Message
	}
	return decisive.Message
}
