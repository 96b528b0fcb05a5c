package v1alpha1

import (
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

// DecisiveCondition is the condition that says why the session stands where it does; nil if the operator has not said yet.
func (s *DebugSessionStatus) DecisiveCondition() *metav1.Condition {
	return meta.FindStatusCondition(s.Conditions, decisiveConditions[s.Phase])
}

// Message says why the session stands where it does; it is empty if the operator has not said yet.
func (s *DebugSessionStatus) Message() string {
	if c := s.DecisiveCondition(); c != nil {
		return c.Message
	}
	return ""
}
