package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// targetName is the name of every pod and node that is debugged.
const targetName = "target"

// lane is a pair of namespaces: each pod stands in both, under one name, and each side debugs its own. One case at a
// time runs in a lane, which is emptied after it.
type lane struct {
	kubectl, session string
}

func (l lane) namespaces() []string { return []string{l.kubectl, l.session} }

// crdFolder is where this project's CRDs are, seen from this folder.
const crdFolder = "../../config/crd/bases"

// cluster is an API server with etcd and nothing else: no kubelet and no controllers, so that what stays is what was
// asked for and what the API server made of it.
type cluster struct {
	environment *envtest.Environment
	pods        *kubernetes.Clientset
	objects     client.Client
	kubectl     *kubectl
	lanes       []lane

	// folder holds the kubeconfig and kubectl's cache.
	folder string
}

func startCluster(ctx context.Context) (*cluster, error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return nil, fmt.Errorf("KUBEBUILDER_ASSETS is not set: set it to the folder of etcd, kube-apiserver and kubectl, which \"go run . assets\" in test/cluster makes and prints")
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{crdFolder},
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: assets,
	}
	// Unlike envtest's default, service accounts are admitted as in a real cluster: that mounts a token into each pod.
	arguments := environment.ControlPlane.GetAPIServer().Configure().Disable("disable-admission-plugins")
	// Off by default, and the reason for a divergence: without it no pod keeps its scheduling group.
	arguments.Set("feature-gates", "GenericWorkload=true")
	config, err := environment.Start()
	if err != nil {
		return nil, fmt.Errorf("starting the API server: %w", err)
	}
	c := &cluster{environment: environment}
	if err := c.prepare(ctx, config, assets); err != nil {
		_ = c.stop()
		return nil, err
	}
	return c, nil
}

func (c *cluster) prepare(ctx context.Context, config *rest.Config, assets string) error {
	config.QPS, config.Burst = -1, -1
	config.WarningHandler = rest.NoWarnings{}
	var err error
	if c.pods, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if c.objects, err = client.New(config, client.Options{}); err != nil {
		return err
	}
	if c.folder, err = os.MkdirTemp("", "conformance-"); err != nil {
		return err
	}
	kubeconfig := filepath.Join(c.folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, c.environment.KubeConfig, 0o600); err != nil {
		return err
	}
	if c.kubectl, err = newKubectl(ctx, filepath.Join(assets, "kubectl"), kubeconfig, c.folder); err != nil {
		return err
	}
	for i := range runtime.NumCPU() {
		lane := lane{kubectl: fmt.Sprint("kubectl-", i), session: fmt.Sprint("session-", i)}
		for _, namespace := range lane.namespaces() {
			if err := c.makeNamespace(ctx, namespace); err != nil {
				return err
			}
		}
		c.lanes = append(c.lanes, lane)
	}
	return nil
}

// makeNamespace makes a namespace, and its default service account, which no controller makes here.
func (c *cluster) makeNamespace(ctx context.Context, name string) error {
	if err := c.objects.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return err
	}
	return c.objects.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}})
}

// makeObjects makes what a shape's pod needs, in all namespaces if it is namespaced. What is there already is taken as
// it is: shapes may share a PriorityClass.
func (c *cluster) makeObjects(ctx context.Context, objects []unstructured.Unstructured) error {
	for i := range objects {
		namespaced, err := c.objects.IsObjectNamespaced(&objects[i])
		if err != nil {
			return err
		}
		namespaces := []string{""}
		if namespaced {
			namespaces = nil
			for _, lane := range c.lanes {
				namespaces = append(namespaces, lane.namespaces()...)
			}
		}
		for _, namespace := range namespaces {
			object := objects[i].DeepCopy()
			object.SetNamespace(namespace)
			if err := c.objects.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("making %s %s: %w", object.GetKind(), object.GetName(), err)
			}
		}
	}
	return nil
}

// makeNode makes the node to be debugged, or takes the one that an earlier shape has made: nothing of it but its name is
// ever in a result.
func (c *cluster) makeNode(ctx context.Context, node *corev1.Node) error {
	node = node.DeepCopy()
	node.Name = targetName
	if err := c.objects.Create(ctx, node); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making the node to debug: %w", err)
	}
	return nil
}

// onlyPod returns the pod that a namespace has.
func (c *cluster) onlyPod(ctx context.Context, namespace string) (*corev1.Pod, error) {
	pods, err := c.pods.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(pods.Items) != 1 {
		return nil, fmt.Errorf("%d pods in namespace %s, and one was to be made", len(pods.Items), namespace)
	}
	return &pods.Items[0], nil
}

// makeTarget makes the pod to be debugged, and returns it as the API server keeps it.
func (c *cluster) makeTarget(ctx context.Context, namespace string, pod *corev1.Pod) (*corev1.Pod, error) {
	pod = pod.DeepCopy()
	pod.Namespace, pod.Name = namespace, targetName
	ephemeral := pod.Spec.EphemeralContainers
	pod.Spec.EphemeralContainers = nil
	made, err := c.pods.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		return nil, fmt.Errorf("making the pod to debug: %w", err)
	}
	if len(ephemeral) == 0 {
		return made, nil
	}
	made.Spec.EphemeralContainers = ephemeral
	made, err = c.pods.CoreV1().Pods(namespace).UpdateEphemeralContainers(ctx, targetName, made, metav1.UpdateOptions{})
	if err != nil {
		return nil, fmt.Errorf("adding the ephemeral containers that the pod to debug has: %w", err)
	}
	return made, nil
}

// empty removes the pods of a lane at once: there is no kubelet that could end them first.
func (c *cluster) empty(ctx context.Context, l lane) error {
	for _, namespace := range l.namespaces() {
		if err := c.pods.CoreV1().Pods(namespace).DeleteCollection(ctx, *metav1.NewDeleteOptions(0), metav1.ListOptions{}); err != nil {
			return fmt.Errorf("removing the pods of a case: %w", err)
		}
	}
	return nil
}

func (c *cluster) stop() error {
	err := c.environment.Stop()
	if c.folder != "" {
		if removeErr := os.RemoveAll(c.folder); err == nil {
			err = removeErr
		}
	}
	return err
}
