package integration

import (
	"context"
	"slices"
	"sync"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kubelet says what a kubelet would say of pods, when a test has it say so. As an Executor it stops containers.
type kubelet struct {
	mu    sync.Mutex
	execs []string
	fail  error
}

// Exec stands for the operator's sweep: the container's main process ends.
func (k *kubelet) Exec(ctx context.Context, pod types.NamespacedName, container string, _ []string) error {
	k.mu.Lock()
	k.execs = append(k.execs, pod.Name+"/"+container)
	fail := k.fail
	k.mu.Unlock()
	if fail != nil {
		return fail
	}
	there := &corev1.Pod{}
	if err := k8s.Get(ctx, pod, there); err != nil {
		return err
	}
	return k.setEphemeral(ctx, there, container, exited(137, "Error", ""))
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
}

func exited(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: metav1.Now(), FinishedAt: metav1.Now(),
	}}
}

func (k *kubelet) setEphemeral(ctx context.Context, pod *corev1.Pod, container string, state corev1.ContainerState) error {
	base := pod.DeepCopy()
	status := corev1.ContainerStatus{Name: container, Image: "registry/busybox:1.36", ImageID: "registry/busybox@sha256:abc", State: state}
	pod.Status.EphemeralContainerStatuses = replace(pod.Status.EphemeralContainerStatuses, status)
	return k8s.Status().Patch(ctx, pod, client.MergeFrom(base))
}

func (k *kubelet) setContainer(ctx context.Context, pod *corev1.Pod, container string, state corev1.ContainerState) error {
	base := pod.DeepCopy()
	status := corev1.ContainerStatus{Name: container, Image: "registry/busybox:1.36", ImageID: "registry/busybox@sha256:abc", State: state}
	pod.Status.ContainerStatuses = replace(pod.Status.ContainerStatuses, status)
	return k8s.Status().Patch(ctx, pod, client.MergeFrom(base))
}

func replace(statuses []corev1.ContainerStatus, with corev1.ContainerStatus) []corev1.ContainerStatus {
	statuses = slices.DeleteFunc(slices.Clone(statuses), func(s corev1.ContainerStatus) bool { return s.Name == with.Name })
	return append(statuses, with)
}

// runningPod creates a pod that is on a node and runs.
func runningPod(ctx context.Context, namespace, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeName:   "node-1",
			Containers: []corev1.Container{{Name: "app", Image: "app:1"}, {Name: "proxy", Image: "proxy:1"}},
		},
	}
	for _, c := range change {
		c(pod)
	}
	Expect(k8s.Create(ctx, pod)).To(Succeed())
	base := pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	Expect(k8s.Status().Patch(ctx, pod, client.MergeFrom(base))).To(Succeed())
	return pod
}
