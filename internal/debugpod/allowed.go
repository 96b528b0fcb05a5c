package debugpod

import (
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// ForbiddenError says that a session's class does not allow what would be made: what is wrong, where, and what to do about it.
type ForbiddenError struct {
	// Field is the path of the session's field that is about it.
	Field string

	// Message is for whoever wrote the session.
	Message string
}

// Error is the field and the message.
func (e *ForbiddenError) Error() string { return e.Field + ": " + e.Message }

// allowed returns what the session's class allows what is made to have. What was not recorded is not allowed.
func allowed(session *v1alpha1.DebugSession) v1alpha1.ClassAllows {
	if class := session.Status.Class; class != nil && class.Allows != nil {
		return *class.Allows
	}
	return v1alpha1.ClassAllows{}
}

// withhold keeps from the pod what its session's class does not allow: the token of its service account, which admission would
// mount in every container that is added, and the target's priority. Containers that are copied have their mount of the token
// already, and keep it.
func withhold(spec *corev1.PodSpec, allows v1alpha1.ClassAllows) {
	if !allows.Volumes {
		mount := false
		spec.AutomountServiceAccountToken = &mount
	}
	if !allows.Priority {
		spec.PriorityClassName = ""
	}
}
