package faults

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/fakekubelet/live"
)

const nodeName = "node-1"

// kubelet plays scheduler and kubelet: it places pods, starts what is in them, and removes those that were deleted. And it plays
// the watchdogs of ephemeral debuggers, which know when they are to end.
type kubelet struct{ live.Kubelet }

// saw does what there is to do about a version of a pod. What fails is done at the pod's next version.
func (k *kubelet) saw(pod *corev1.Pod) {
	ctx := context.Background()
	switch {
	case pod.DeletionTimestamp != nil:
		_ = k.Client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	case pod.Spec.NodeName == "":
		binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}}
		_ = k.Client.SubResource("binding").Create(ctx, pod, binding)
	default:
		_ = k.StartSeen(ctx, pod)
	}
}
