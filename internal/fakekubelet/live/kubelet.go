// Package live plays the kubelet against an API server.
package live

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fakekubelet"
	"debugsession.dev/operator/internal/kube/optimisticlock"
)

// Kubelet writes what a kubelet says of pods to an API server, and runs what the operator runs in their containers.
type Kubelet struct {
	Client    client.Client
	Watchdogs *fakekubelet.Watchdogs
}

// Change writes a change of a pod's status, and returns the pod with it.
func (k *Kubelet) Change(ctx context.Context, key types.NamespacedName, change func(*corev1.Pod)) (*corev1.Pod, error) {
	var pod *corev1.Pod
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		pod = &corev1.Pod{}
		if err := k.Client.Get(ctx, key, pod); err != nil {
			return err
		}
		base := pod.DeepCopy()
		change(pod)
		return k.Client.Status().Patch(ctx, pod, optimisticlock.Patch(base))
	})
	return pod, err
}

// Start has everything in the pod run of which nothing has been said.
func (k *Kubelet) Start(ctx context.Context, pod types.NamespacedName) error {
	_, err := k.Change(ctx, pod, func(p *corev1.Pod) { fakekubelet.Start(p, time.Now()) })
	return err
}

// StartSeen is Start of a pod that a watch has seen: it asks nothing if nothing is to be said, and fails if the pod has changed since.
func (k *Kubelet) StartSeen(ctx context.Context, seen *corev1.Pod) error {
	pod := seen.DeepCopy()
	fakekubelet.Start(pod, time.Now())
	if equality.Semantic.DeepEqual(seen, pod) {
		return nil
	}
	return k.Client.Status().Patch(ctx, pod, optimisticlock.Patch(seen))
}

// Exit ends a container's main process.
func (k *Kubelet) Exit(ctx context.Context, pod types.NamespacedName, container string, ended corev1.ContainerState) error {
	_, err := k.Change(ctx, pod, func(p *corev1.Pod) { fakekubelet.Exit(p, container, ended) })
	return err
}

// Exec stands for what the operator runs in a container: what kills its processes, and so ends it, or what tells its watchdog of another
// deadline.
func (k *Kubelet) Exec(ctx context.Context, pod types.NamespacedName, container string, command []string) error {
	if slices.Equal(command, debugpod.KillCommand()) {
		return k.Exit(ctx, pod, container, fakekubelet.Killed(time.Now()))
	}
	to, err := fakekubelet.MovedTo(command)
	if err == nil {
		k.Watchdogs.Move(pod, container, to)
	}
	return err
}

// Reach has a debugger end at its deadline.
func (k *Kubelet) Reach(ctx context.Context, key types.NamespacedName, container string) error {
	pod := &corev1.Pod{}
	if err := k.Client.Get(ctx, key, pod); err != nil {
		return err
	}
	at, err := k.Watchdogs.Deadline(pod, container)
	if err != nil {
		return err
	}
	return k.Exit(ctx, key, container, fakekubelet.AtDeadline(at))
}
