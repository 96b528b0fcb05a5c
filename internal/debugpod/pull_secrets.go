package debugpod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// addPullSecrets adds the session's imagePullSecrets to those that a copy has from its target. The kubelet tries all of them.
func addPullSecrets(spec *corev1.PodSpec, session *v1alpha1.DebugSession) {
	for _, named := range session.Spec.ImagePullSecrets {
		secret := corev1.LocalObjectReference{Name: named.Name}
		if !slices.Contains(spec.ImagePullSecrets, secret) {
			spec.ImagePullSecrets = append(spec.ImagePullSecrets, secret)
		}
	}
}
