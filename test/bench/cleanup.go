package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
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
