// Package v1alpha1 holds the debugsession.dev/v1alpha1 API: the types, and the names of labels, conditions and
// reasons that other programs may rely on. It has no logic beyond small accessors.
//
// +kubebuilder:object:generate=true
// +groupName=debugsession.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of the kinds in this package.
	GroupVersion = schema.GroupVersion{Group: "debugsession.dev", Version: "v1alpha1"}

	// SchemeBuilder collects the functions that add this package's kinds to a scheme.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds this package's kinds to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &DebugSession{}, &DebugSessionList{},
		&DebugClass{}, &DebugClassList{},
		&DebugApproval{}, &DebugApprovalList{},
		&DebugSink{}, &DebugSinkList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
