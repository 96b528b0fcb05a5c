package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
)

// world is what all faults share: the cluster, its node, and the two that watch.
type world struct {
	options
	ctx    context.Context
	client client.WithWatch
	typed  kubernetes.Interface
	node   *node    // what runs, from the node's /proc
	record *records // what the API server says of sessions
	out    io.Writer

	mu         sync.Mutex // of what follows, and of out
	namespaces []string
	began      time.Time
}

// newWorld installs the operator in the cluster that is up, and begins to watch.
func newWorld(ctx context.Context, o *options, out io.Writer) (*world, error) {
	if err := ownCluster(ctx, o.cluster); err != nil {
		return nil, err
	}
	logf.SetLogger(logr.Discard()) // what goes wrong is told
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Timeout = -1, 30*time.Second
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	w := &world{options: *o, ctx: ctx, client: c, typed: typed, out: out, began: time.Now(), node: newNode(), record: newRecords(c)}
	w.progress("installing the operator")
	if err := w.install(); err != nil {
		return nil, err
	}
	go w.node.watch(ctx)
	go w.record.follow(ctx)
	return w, nil
}

// ownCluster fails unless the cluster is the one of test/cluster, on this machine and complete.
func ownCluster(ctx context.Context, tool string) error {
	if os.Getenv("INSTALL") == "" || os.Getenv("KUBECONFIG") == "" {
		return errors.New("INSTALL must name a file that installs the operator: make chaos brings up a cluster and sets it")
	}
	if os.Getenv("CLUSTER") == "existing" {
		return errors.New("faults run only on the cluster of test/cluster: they kill its components and inspect its node")
	}
	if out, err := exec.CommandContext(ctx, tool, "status").CombinedOutput(); err != nil {
		return fmt.Errorf("%s status: %w\n%s", tool, err, out)
	}
	return nil
}

// install applies the operator and the faults' classes.
func (w *world) install() error {
	if err := w.kubectl("apply", "-f", os.Getenv("INSTALL")); err != nil {
		return err
	}
	if err := w.operatorReady(w.ctx); err != nil {
		return err
	}
	for _, class := range classes() {
		if err := w.client.Create(w.ctx, class); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating class %s: %w", class.Name, err)
		}
	}
	return nil
}

func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), 30*time.Second)
	defer cancel()
	for _, class := range classes() {
		_ = w.client.Delete(ctx, class) // the cluster goes too
	}
}

func (w *world) kubectl(args ...string) error {
	out, err := exec.CommandContext(w.ctx, "kubectl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// component stops or starts one of the cluster's components, by the cluster's own tool.
func (w *world) component(args ...string) error {
	out, err := exec.CommandContext(w.ctx, w.cluster, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(w.cluster), strings.Join(args, " "), err, out)
	}
	return nil
}

// progress says on standard error what is going on: standard output is for the table.
func (w *world) progress(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
}

// newNamespace makes a namespace of a fault's own.
func (w *world) newNamespace(ctx context.Context, name string) (string, error) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "chaos-" + name + "-"}}
	if err := w.client.Create(ctx, ns); err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.namespaces = append(w.namespaces, ns.Name)
	return ns.Name, nil
}

// namespacesGone sees that no session, copy or finalizer of any fault keeps its namespace. If all went there is no row.
func (w *world) namespacesGone() []row {
	var stuck []string
	deadline := time.Now().Add(90 * time.Second)
	for _, name := range w.namespaces {
		for !w.namespaceGone(name) {
			if time.Now().After(deadline) || w.ctx.Err() != nil {
				stuck = append(stuck, "namespace "+name+" is not deleted")
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	if stuck == nil {
		return nil
	}
	return []row{{fault: &fault{name: "afterwards", broken: "the faults' namespaces are deleted"}, leaks: stuck}}
}

func (w *world) namespaceGone(name string) bool {
	return apierrors.IsNotFound(w.client.Get(w.ctx, client.ObjectKey{Name: name}, &corev1.Namespace{}))
}
