package flux

import (
	"context"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/fakekubelet"
	"debugsession.dev/operator/internal/fakekubelet/live"
)

// node plays the kubelet: what a pod's spec asks for runs at once, and what is killed or reaches its deadline ends.
type node struct {
	live.Kubelet
	mu       sync.Mutex
	deadline map[string]time.Time // of debuggers, by pod and container: when a timer of theirs fires
}

func startNode(ctx context.Context, t *testing.T, c client.WithWatch) *node {
	n := &node{Kubelet: live.Kubelet{Client: c, Watchdogs: &fakekubelet.Watchdogs{}}, deadline: map[string]time.Time{}}
	ctx, stop := context.WithCancel(ctx)
	pods, err := c.Watch(ctx, &corev1.PodList{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil { // an API server that has much to do closes watches: the next tells of all pods anew
			if err == nil {
				n.watch(ctx, pods)
			}
			pods, err = c.Watch(ctx, &corev1.PodList{})
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	return n
}

func (n *node) watch(ctx context.Context, pods watch.Interface) {
	defer pods.Stop()
	for event := range pods.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok {
			n.saw(ctx, pod)
		}
	}
}

// saw does what there is to do about a version of a pod. What fails is done at the pod's next version.
func (n *node) saw(ctx context.Context, pod *corev1.Pod) {
	if pod.DeletionTimestamp != nil {
		_ = n.Client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
		return
	}
	_ = n.StartSeen(ctx, pod)
	for i := range pod.Spec.EphemeralContainers {
		n.guard(ctx, pod, pod.Spec.EphemeralContainers[i].Name)
	}
}

// Exec stands for what the operator runs in a container: what kills its processes, and what tells its watchdog of another deadline.
func (n *node) Exec(ctx context.Context, key types.NamespacedName, container string, command []string) error {
	if err := n.Kubelet.Exec(ctx, key, container, command); err != nil {
		return err
	}
	pod := &corev1.Pod{}
	if err := n.Client.Get(ctx, key, pod); err != nil {
		return err
	}
	n.guard(context.WithoutCancel(ctx), pod, container)
	return nil
}

// guard ends a debugger at its deadline, unless it is told of another one meanwhile.
func (n *node) guard(ctx context.Context, pod *corev1.Pod, container string) {
	ends, err := n.Watchdogs.Deadline(pod, container)
	name := client.ObjectKeyFromObject(pod).String() + "/" + container
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil || ends.IsZero() || n.deadline[name].Equal(ends) {
		return
	}
	n.deadline[name] = ends
	time.AfterFunc(time.Until(ends), func() {
		if told, err := n.Watchdogs.Deadline(pod, container); err == nil && told.Equal(ends) {
			_ = n.Exit(ctx, client.ObjectKeyFromObject(pod), container, fakekubelet.AtDeadline(time.Now())) // the pod may be gone
		}
	})
}
