package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/fakekubelet"
)

// nodeName is the node of every pod of the bench.
const nodeName = "bench-node"

// kubeletWorkers is how many pods are dealt with at once. A kubelet has a worker for each of its pods.
const kubeletWorkers = 64

// node is a kubelet without containers: it says at once that what a pod's spec asks for runs, and that what a command was
// sent to has ended. A debugger whose own time limit comes it ends then, as the wrapper around its command would. A real
// one takes longer, so sessions here are as close together as they can be. Like a real one it speaks protobuf with the API
// server, and is the only one who writes the status of its pods.
type node struct {
	client  client.Client
	pods    kubernetes.Interface
	known   cache.SharedIndexInformer
	queue   workqueue.TypedRateLimitingInterface[types.NamespacedName]
	runtime *fakekubelet.Runtime
	server  *httptest.Server
	stopped context.CancelFunc
	done    sync.WaitGroup
}

func startNode(ctx context.Context, c *cluster) (*node, error) {
	ctx, stop := context.WithCancel(ctx)
	n := &node{
		client:  c.client,
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[types.NamespacedName]()),
		runtime: fakekubelet.NewRuntime(),
		stopped: stop,
	}
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(n.exec))
	n.server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}} // the streams of exec are an upgrade of it
	n.server.StartTLS()
	if err := n.register(ctx); err != nil {
		return n, fmt.Errorf("registering the node: %w", err)
	}
	config := restclient.CopyConfig(c.admin)
	config.ContentType = runtime.ContentTypeProtobuf
	var err error
	if n.pods, err = kubernetes.NewForConfig(config); err != nil {
		return n, err
	}
	n.known = cache.NewSharedIndexInformer(cache.NewListWatchFromClient(n.pods.CoreV1().RESTClient(), "pods", metav1.NamespaceAll,
		fields.OneTermEqualSelector("spec.nodeName", nodeName)), &corev1.Pod{}, 0, cache.Indexers{})
	if _, err := n.known.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    n.enqueue,
		UpdateFunc: func(_, pod any) { n.enqueue(pod) },
		DeleteFunc: n.forget,
	}); err != nil {
		return n, err
	}
	n.done.Go(func() { n.known.RunWithContext(ctx) })
	for range kubeletWorkers {
		n.done.Go(func() { n.work(ctx) })
	}
	if !cache.WaitForCacheSync(ctx.Done(), n.known.HasSynced) {
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

func (n *node) forget(object any) {
	if pod, ok := object.(*corev1.Pod); ok { // else its deletion was not seen, and what is kept of it hurts nobody
		n.runtime.Forget(pod.UID)
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
	object, exists, err := n.known.GetStore().GetByKey(key.String())
	if err != nil || !exists {
		return err
	}
	pod := object.(*corev1.Pod)
	api := n.pods.CoreV1().Pods(pod.Namespace)
	if pod.DeletionTimestamp != nil {
		return api.Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0), Preconditions: metav1.NewUIDPreconditions(string(pod.UID))})
	}
	status, endsAt := n.runtime.Look(pod, time.Now())
	if !endsAt.IsZero() {
		n.queue.AddAfter(key, time.Until(endsAt))
	}
	if status == nil {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
	if err != nil {
		return err
	}
	if _, err := api.Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	n.runtime.Told(pod, status)
	return nil
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

func (k *killed) ExecInContainer(_ context.Context, _, _, container string, _ []string, _ io.Reader, _, _ io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	object, exists, err := k.node.known.GetStore().GetByKey(k.pod.String())
	if err != nil || !exists {
		return fmt.Errorf("container not found (%q): %w", container, err)
	}
	k.node.runtime.Kill(object.(*corev1.Pod).UID, container, time.Now())
	k.node.queue.Add(k.pod)
	return nil
}
