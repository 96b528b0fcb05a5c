// Package optimisticlock writes an object only if it still is the version that the writer has read.
package optimisticlock

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Patch changes base into the object that it is sent with. The API server answers with a conflict if it has a newer version than base.
func Patch(base client.Object) client.Patch {
	return client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
}

// IgnoreConflictOrNotFound ignores that the object has been changed or deleted since it was read: the watch requeues it.
func IgnoreConflictOrNotFound(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}
