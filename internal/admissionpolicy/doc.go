// Package admissionpolicy keeps the ValidatingAdmissionPolicy by which the API server itself holds what is stamped against who
// asks, and its binding, as the operator's binary has them.
//
// A webhook cannot know that it is the API server that calls it: whoever reaches it is given a seal for whom they like. The
// policy sees the user that the API server has authenticated, and cannot be called from outside. So nothing starts while it
// is not there or not whole, and what was created meanwhile is not believed when it is whole again.
package admissionpolicy

// An object that does not exist has no name that a rule could match, so create stands apart.
//
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,verbs=create
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,resourceNames=debugsession-identity-v4,verbs=get;list;watch;update
