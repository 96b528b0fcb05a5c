package debugpod

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"debugsession.dev/operator/api/v1alpha1"
)

const sessionKind = "DebugSession"

// OwnerReference makes the session the controller of what is made for it: no ReplicaSet adopts a pod that has one, even if the pod kept
// its labels, and the garbage collector removes the pod should the session vanish.
//
// blockOwnerDeletion is false: true would need the right to update a session's finalizers, and a session's own
// finalizer already waits for the pod.
func OwnerReference(session *v1alpha1.DebugSession) metav1.OwnerReference {
	controller, block := true, false
	return metav1.OwnerReference{
		APIVersion:         v1alpha1.GroupVersion.String(),
		Kind:               sessionKind,
		Name:               session.Name,
		UID:                session.UID,
		Controller:         &controller,
		BlockOwnerDeletion: &block,
	}
}

// OwnedBy reports whether the object's controller is this very session: group, kind and UID, in any version of the API. A
// label or a name proves nothing, since anyone who may create a pod can write them.
func OwnedBy(object metav1.Object, session *v1alpha1.DebugSession) bool {
	owner := metav1.GetControllerOf(object)
	if owner == nil || owner.Kind != sessionKind || owner.UID == "" || owner.UID != session.UID {
		return false
	}
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && version.Group == v1alpha1.GroupVersion.Group
}
