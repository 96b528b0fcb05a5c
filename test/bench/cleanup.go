package main

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// endAll deletes a namespace's pods and sessions, and waits until the operator has let all of them go.
func endAll(ctx context.Context, b *bench, namespace string) error {
	in := client.InNamespace(namespace)
	c := b.cluster.client
	if err := c.DeleteAllOf(ctx, &corev1.Pod{}, in, client.GracePeriodSeconds(0)); err != nil {
		return err
	}
	if err := c.DeleteAllOf(ctx, &v1alpha1.DebugSession{}, in); err != nil {
		return err
	}
	return await(ctx, "the sessions of namespace "+namespace+" to be gone", 2*time.Minute, func() (bool, error) {
		left := &v1alpha1.DebugSessionList{}
		err := c.List(ctx, left, in, client.Limit(1))
		return len(left.Items) == 0, err
	})
}

// wipe removes a namespace's pods, sessions and grants behind the operator's back, which must not be acting: a round leaves
// nothing to the next, and takes no time for ending in good order.
func wipe(ctx context.Context, b *bench, namespace string) error {
	in := client.InNamespace(namespace)
	c := b.cluster.client
	// The webhooks keep the finalizer from being removed.
	unadmitted := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+labelUnadmitted+`":"true"}}}`))
	if err := c.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, unadmitted); err != nil {
		return err
	}
	if err := errors.Join(
		c.DeleteAllOf(ctx, &corev1.Pod{}, in, client.GracePeriodSeconds(0)),
		c.DeleteAllOf(ctx, &rbacv1.RoleBinding{}, in),
		c.DeleteAllOf(ctx, &rbacv1.Role{}, in),
		c.DeleteAllOf(ctx, &v1alpha1.DebugSession{}, in),
	); err != nil {
		return err
	}
	left := &v1alpha1.DebugSessionList{}
	if err := c.List(ctx, left, in); err != nil {
		return err
	}
	release := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	return inParallel(ctx, len(left.Items), func(ctx context.Context, i int) error {
		return await(ctx, "a session to be let go", 20*time.Second, func() (bool, error) {
			err := client.IgnoreNotFound(c.Patch(ctx, left.Items[i].DeepCopy(), release))
			return err == nil, err
		})
	})
}
