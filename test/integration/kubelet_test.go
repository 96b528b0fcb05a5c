package integration

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// kubelet says what a kubelet would say of pods, when a test has it say so. As an Executor it stops containers. What runs with a
// deadline around it ends then by itself.
type kubelet struct {
	mu    sync.Mutex
	execs []string
	fail  func() error
	stuck string               // the name of a pod whose containers do not answer
	ends  map[string]time.Time // by pod and container, what was told another deadline
}

// Exec stands for what the operator runs in a container: the sweep, by which its main process ends, and what tells its
// watchdog of another deadline.
func (k *kubelet) Exec(ctx context.Context, pod types.NamespacedName, container string, command []string) error {
	k.mu.Lock()
	k.execs = append(k.execs, pod.Name+"/"+container)
	fail, stuck := k.fail, k.stuck == pod.Name
	k.mu.Unlock()
	if stuck {
		return hang(ctx)
	}
	if fail != nil {
		return fail()
	}
	if !slices.Equal(command, debugpod.Sweep()) {
		k.moveDeadline(pod, container, moment(command[len(command)-1]))
		return nil
	}
	there := &corev1.Pod{}
	if err := k8s.Get(ctx, pod, there); err != nil {
		return err
	}
	return k.setEphemeral(ctx, there, container, exited(137, "Error", ""))
}

// hang is how a command goes that never ends: it is given up.
func hang(ctx context.Context) error {
	ctx, giveUp := context.WithTimeout(ctx, 15*time.Second)
	defer giveUp()
	<-ctx.Done()
	return ctx.Err()
}

// answers sets how the node answers from now on.
func (k *kubelet) answers(err error) {
	if err == nil {
		k.says(nil)
		return
	}
	k.says(func() error { return err })
}

// says sets what the node answers from now on to each command.
func (k *kubelet) says(what func() error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = what
}

// executed counts the commands that were run in a session's debugger.
func (k *kubelet) executed(session *v1alpha1.DebugSession) func() int {
	debugger := session.Status.Debugger.PodName + "/" + session.Status.Debugger.ContainerName
	return func() (count int) {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, exec := range k.execs {
			if exec == debugger {
				count++
			}
		}
		return count
	}
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
}

func exited(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: metav1.Now(), FinishedAt: metav1.Now(),
	}}
}

func (k *kubelet) moveDeadline(pod types.NamespacedName, container string, to time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ends == nil {
		k.ends = map[string]time.Time{}
	}
	k.ends[pod.String()+"/"+container] = to
	k.guard(pod, container, to)
}

// guard ends a container at its deadline, unless it was told of another one meanwhile.
func (k *kubelet) guard(pod types.NamespacedName, container string, ends time.Time) {
	time.AfterFunc(time.Until(ends), func() {
		k.mu.Lock()
		told, ever := k.ends[pod.String()+"/"+container]
		k.mu.Unlock()
		if ever && !told.Equal(ends) {
			return
		}
		ctx := context.Background()
		_ = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
			there := &corev1.Pod{}
			if err := k8s.Get(ctx, pod, there); err != nil || !runs(there, container) {
				return err
			}
			return k.setEphemeral(ctx, there, container, exited(debugpod.ExitDeadline, "Error", debugpod.AtDeadline+"\n"))
		})
	})
}

func runs(pod *corev1.Pod, container string) bool {
	return slices.ContainsFunc(pod.Status.EphemeralContainerStatuses, func(s corev1.ContainerStatus) bool {
		return s.Name == container && s.State.Running != nil
	})
}

// moment is a time as the operator tells it to a debugger.
func moment(seconds string) time.Time {
	unix, err := strconv.ParseInt(seconds, 10, 64)
	Expect(err).NotTo(HaveOccurred())
	return time.Unix(unix, 0)
}

func (k *kubelet) setEphemeral(ctx context.Context, pod *corev1.Pod, container string, state corev1.ContainerState) error {
	for i := range pod.Spec.EphemeralContainers {
		if c := &pod.Spec.EphemeralContainers[i]; c.Name == container && state.Running != nil && len(debugpod.Unlimited(c.Command)) < len(c.Command) {
			k.guard(client.ObjectKeyFromObject(pod), container, moment(c.Command[4]))
		}
	}
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
	for i := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: pod.Spec.Containers[i].Name, State: running()})
	}
	Expect(k8s.Status().Patch(ctx, pod, client.MergeFrom(base))).To(Succeed())
	return pod
}
