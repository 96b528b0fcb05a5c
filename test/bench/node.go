package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// nodeName is the node of every pod of the bench.
const nodeName = "bench-node"

// kubeletWorkers is how many pods are dealt with at once.
const kubeletWorkers = 4

// node is a kubelet without containers: it says at once that what a pod's spec asks for runs, and that what a command was
// sent to has ended. A real one takes longer, so sessions here are as close together as they can be.
type node struct {
	client  client.Client
	pods    cache.SharedIndexInformer
	queue   workqueue.TypedRateLimitingInterface[types.NamespacedName]
	server  *httptest.Server
	stopped context.CancelFunc
	done    sync.WaitGroup
}

func startNode(ctx context.Context, c *cluster) (*node, error) {
	ctx, stop := context.WithCancel(ctx)
	n := &node{
		client:  c.client,
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[types.NamespacedName]()),
		stopped: stop,
	}
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(n.exec))
	n.server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}} // the streams of exec are an upgrade of it
	n.server.StartTLS()
	if err := n.register(ctx); err != nil {
		return n, fmt.Errorf("registering the node: %w", err)
	}
	clientset, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		return n, err
	}
	n.pods = cache.NewSharedIndexInformer(cache.NewListWatchFromClient(clientset.CoreV1().RESTClient(), "pods", metav1.NamespaceAll,
		fields.OneTermEqualSelector("spec.nodeName", nodeName)), &corev1.Pod{}, 0, cache.Indexers{})
	if _, err := n.pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    n.enqueue,
		UpdateFunc: func(_, pod any) { n.enqueue(pod) },
	}); err != nil {
		return n, err
	}
	n.done.Go(func() { n.pods.RunWithContext(ctx) })
	for range kubeletWorkers {
		n.done.Go(func() { n.work(ctx) })
	}
	if !cache.WaitForCacheSync(ctx.Done(), n.pods.HasSynced) {
		return n, ctx.Err()
	}
	return n, nil
}

func (n *node) stop() {
	n.stopped()
	n.queue.ShutDown()
	n.server.Close()
	n.done.Wait()
}

// register tells the API server where the kubelet is.
func (n *node) register(ctx context.Context) error {
	there := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
	if err := n.client.Create(ctx, there); err != nil {
		return err
	}
	address := n.server.Listener.Addr().(*net.TCPAddr)
	there.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address.IP.String()}}
	there.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(address.Port)
	return n.client.Status().Update(ctx, there)
}

func (n *node) enqueue(object any) {
	pod := object.(*corev1.Pod)
	if pod.DeletionTimestamp != nil || len(pod.Spec.EphemeralContainers) > len(pod.Status.EphemeralContainerStatuses) || isCopy(pod) {
		n.queue.Add(client.ObjectKeyFromObject(pod))
	}
}

// isCopy tells the pods that the operator made, the only ones whose containers have to be seen running.
func isCopy(pod *corev1.Pod) bool { return metav1.GetControllerOf(pod) != nil }

func (n *node) work(ctx context.Context) {
	for {
		key, shutdown := n.queue.Get()
		if shutdown {
			return
		}
		err := n.sync(ctx, key)
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			n.queue.AddRateLimited(key)
		} else {
			n.queue.Forget(key)
		}
		n.queue.Done(key)
	}
}

func (n *node) sync(ctx context.Context, key types.NamespacedName) error {
	object, exists, err := n.pods.GetStore().GetByKey(key.String())
	if err != nil || !exists {
		return err
	}
	pod := object.(*corev1.Pod)
	if pod.DeletionTimestamp != nil {
		return n.client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	}
	changed := pod.DeepCopy()
	for i := range pod.Spec.EphemeralContainers { // a patch may put the newest first
		c := &pod.Spec.EphemeralContainers[i]
		if !slices.ContainsFunc(pod.Status.EphemeralContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == c.Name }) {
			changed.Status.EphemeralContainerStatuses = append(changed.Status.EphemeralContainerStatuses, running(c.Name, c.Image))
		}
	}
	if isCopy(pod) && pod.Status.Phase != corev1.PodRunning {
		changed.Status.Phase = corev1.PodRunning
		for i := range pod.Spec.Containers {
			changed.Status.ContainerStatuses = append(changed.Status.ContainerStatuses,
				running(pod.Spec.Containers[i].Name, pod.Spec.Containers[i].Image))
		}
	}
	return n.patchStatus(ctx, changed, pod)
}

// patchStatus sends what differs, if anything does. The resource version keeps a status that was just written from being lost.
func (n *node) patchStatus(ctx context.Context, changed, from *corev1.Pod) error {
	patch := client.StrategicMergeFrom(from, client.MergeFromWithOptimisticLock{})
	data, err := patch.Data(changed)
	if err != nil || !strings.Contains(string(data), `"status"`) {
		return err
	}
	return n.client.Status().Patch(ctx, changed, patch)
}

func running(name, image string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: name, Image: image, ImageID: image + "@sha256:6d9ac9237a84afe1516540f40a0fafdc86859b2141954b4d643af7066d598b74",
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
	}
}

// exec answers the API server's /exec/NAMESPACE/POD/CONTAINER.
func (n *node) exec(w http.ResponseWriter, req *http.Request) {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "exec" {
		http.NotFound(w, req)
		return
	}
	query := req.URL.Query()
	remotecommand.ServeExec(w, req, &killed{n, types.NamespacedName{Namespace: parts[1], Name: parts[2]}}, parts[2], "", parts[3],
		query["command"], &remotecommand.Options{Stdin: query.Has("input"), Stdout: query.Has("output"), Stderr: query.Has("error")},
		time.Minute, time.Minute, remotecommand.SupportedStreamingProtocols)
}

// killed stands for a command that ends its container.
type killed struct {
	node *node
	pod  types.NamespacedName
}

func (k *killed) ExecInContainer(ctx context.Context, _, _, container string, _ []string, _ io.Reader, _, _ io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	return await(ctx, "the container's end to be written", 5*time.Second, func() (bool, error) {
		pod := &corev1.Pod{}
		if err := k.node.client.Get(ctx, k.pod, pod); err != nil {
			return false, err
		}
		changed := pod.DeepCopy()
		for i := range changed.Status.EphemeralContainerStatuses {
			status := &changed.Status.EphemeralContainerStatuses[i]
			if status.Name == container && status.State.Running != nil {
				status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
					ExitCode: 137, Reason: "Error", StartedAt: status.State.Running.StartedAt, FinishedAt: metav1.Now(),
				}}
			}
		}
		err := k.node.patchStatus(ctx, changed, pod)
		return err == nil, err
	})
}
