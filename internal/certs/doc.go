// Package certs makes the certificates by which the API server knows the operator's webhooks, renews them while the
// operator runs, and has the API server trust them.
//
// A CA of the operator's own and a serving certificate live in one Secret in the operator's namespace. Whichever replica is
// first makes them, all of them serve what is there, from memory, and any of them writes the CA into the two webhook
// configurations. The certificates themselves are made and judged by open-policy-agent/cert-controller. Its controller is
// not used: it waits for the kubelet to bring the Secret into a volume, a minute on every install and renewal in which
// nothing is admitted; it makes no new Secret for one that was deleted; and it reads every Secret of the namespace.
package certs

// The configurations have a name each, so that no others can be changed, or be watched by more than their names.
//
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations;validatingwebhookconfigurations,resourceNames=debugsession,verbs=get;list;watch;patch
// A Secret that does not exist has no name that a rule could match, so create stands apart.
// +kubebuilder:rbac:namespace=debugsession-system,groups="",resources=secrets,verbs=create
// +kubebuilder:rbac:namespace=debugsession-system,groups="",resources=secrets,resourceNames=debugsession-webhook-cert,verbs=get;list;watch;update
// +kubebuilder:rbac:namespace=debugsession-system,groups="",resources=secrets,resourceNames=debugsession-seal,verbs=get;list;watch;patch
