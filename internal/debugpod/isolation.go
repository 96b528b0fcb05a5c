package debugpod

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// Isolates reports whether the session's copy is to be cut off from the network.
func Isolates(spec *v1alpha1.DebugSessionSpec) bool {
	return spec.Mode == v1alpha1.ModePodCopy && spec.PodCopy != nil && spec.PodCopy.Isolate
}

// Isolation builds the NetworkPolicy that allows the session's copy no traffic at all. It goes with the session.
func Isolation(session *v1alpha1.DebugSession) *networkingv1.NetworkPolicy {
	label := map[string]string{v1alpha1.LabelSessionUID: string(session.UID)}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{
			Name:            IsolationName(session.UID),
			Namespace:       session.Namespace,
			Labels:          map[string]string{v1alpha1.LabelSessionUID: string(session.UID)},
			Annotations:     map[string]string{v1alpha1.AnnotationSession: session.Name},
			OwnerReferences: []metav1.OwnerReference{OwnerReference(session)},
		},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: label},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}
}

// checkIsolation refuses to cut off what no policy can: a pod in its node's network.
func checkIsolation(session *v1alpha1.DebugSession, hostNetwork bool) error {
	if !Isolates(&session.Spec) || !hostNetwork {
		return nil
	}
	return &InvalidError{
		Field:   "spec.podCopy.isolate",
		Message: "the target uses its node's network, from which no NetworkPolicy isolates a pod: remove isolate",
	}
}
