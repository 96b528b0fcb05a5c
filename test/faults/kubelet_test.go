package faults

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
)

const nodeName = "node-1"

// kubelet plays scheduler and kubelet: it places pods, starts what is in them, and removes those that were deleted. And it plays
// the watchdogs of ephemeral debuggers, which know when they are to end.
type kubelet struct {
	client client.Client
	told   sync.Map // the deadlines that were told, as text, by pod and container
}

// saw does what there is to do about a version of a pod. What fails is done at the pod's next version.
func (k *kubelet) saw(pod *corev1.Pod) {
	ctx := context.Background()
	switch {
	case pod.DeletionTimestamp != nil:
		_ = k.client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	case pod.Spec.NodeName == "":
		binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}}
		_ = k.client.SubResource("binding").Create(ctx, pod, binding)
	default:
		_ = k.change(ctx, client.ObjectKeyFromObject(pod), start)
	}
}

// start has everything run that has no state yet.
func start(pod *corev1.Pod) {
	pod.Status.Phase = corev1.PodRunning
	for _, c := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = begin(pod.Status.ContainerStatuses, c.Name)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		pod.Status.EphemeralContainerStatuses = begin(pod.Status.EphemeralContainerStatuses, c.Name)
	}
}

func begin(statuses []corev1.ContainerStatus, name string) []corev1.ContainerStatus {
	if slices.ContainsFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == name }) {
		return statuses
	}
	return append(statuses, corev1.ContainerStatus{
		Name: name, Image: fixture.Image, ImageID: fixture.ImageID, Ready: true, Started: ptr.To(true),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
	})
}

// extend is what a watchdog does that is told of another deadline. The last word is the deadline.
func (k *kubelet) extend(pod types.NamespacedName, container string, command []string) {
	k.told.Store(pod.String()+"/"+container, command[len(command)-1])
}

// deadline is when a container ends by itself, in seconds since 1970: what its watchdog was told, or what it began with.
func (k *kubelet) deadline(pod *corev1.Pod, container *corev1.EphemeralContainer) (time.Time, error) {
	said := container.Command[4]
	if later, ok := k.told.Load(client.ObjectKeyFromObject(pod).String() + "/" + container.Name); ok {
		said = later.(string)
	}
	unix, err := strconv.ParseInt(said, 10, 64)
	return time.Unix(unix, 0), err
}

// reach has a debugger end at its deadline.
func (k *kubelet) reach(ctx context.Context, key types.NamespacedName, container string) error {
	pod := &corev1.Pod{}
	if err := k.client.Get(ctx, key, pod); err != nil {
		return err
	}
	for i := range pod.Spec.EphemeralContainers {
		if c := &pod.Spec.EphemeralContainers[i]; c.Name == container {
			at, err := k.deadline(pod, c)
			if err != nil {
				return err
			}
			return k.exit(ctx, key, container, fixture.Exited(at, debugpod.ExitDeadline, "Error", debugpod.AtDeadline))
		}
	}
	return fmt.Errorf("pod %s has no container %q", key, container)
}

// exit ends a container's main process.
func (k *kubelet) exit(ctx context.Context, pod types.NamespacedName, container string, ended corev1.ContainerState) error {
	return k.change(ctx, pod, func(p *corev1.Pod) {
		for _, statuses := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses} {
			for i := range statuses {
				if statuses[i].Name == container && statuses[i].State.Terminated == nil {
					statuses[i].State = ended
				}
			}
		}
	})
}

func (k *kubelet) change(ctx context.Context, key types.NamespacedName, change func(*corev1.Pod)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		pod := &corev1.Pod{}
		if err := k.client.Get(ctx, key, pod); err != nil {
			return err
		}
		base := pod.DeepCopy()
		change(pod)
		return k.client.Status().Patch(ctx, pod, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	})
}
