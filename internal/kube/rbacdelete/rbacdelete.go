// Package rbacdelete deletes Roles and RoleBindings, and sees whether they went. A RoleBinding that somebody has put a finalizer
// on stays when it is deleted, and goes on granting what it grants: the API server's answer to the deletion tells, which a
// generic client throws away.
package rbacdelete

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Deleter deletes by the API server's own REST paths.
type Deleter struct {
	rbac rest.Interface
}

// New returns a Deleter that acts with the identity of client.
func New(client kubernetes.Interface) *Deleter {
	return &Deleter{rbac: client.RbacV1().RESTClient()}
}

// Delete deletes an object of rbac.authorization.k8s.io by its resource, such as rolebindings. It is no error if there is
// none. If the object stays, what holds it are its finalizers.
func (d *Deleter) Delete(ctx context.Context, resource string, name types.NamespacedName) (heldBy []string, err error) {
	answer, err := d.rbac.Delete().Namespace(name.Namespace).Resource(resource).Name(name.Name).Do(ctx).Get()
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if left, err := meta.Accessor(answer); err == nil { // a Status, if it is gone
		return left.GetFinalizers(), nil
	}
	return nil, nil
}
