package e2e

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// condition is a session's condition of a type; a zero one if it has none.
func condition(session *v1alpha1.DebugSession, conditionType string) metav1.Condition {
	if c := meta.FindStatusCondition(session.Status.Conditions, conditionType); c != nil {
		return *c
	}
	return metav1.Condition{}
}
