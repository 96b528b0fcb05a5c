package flux

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/test/manifests"
	"debugsession.dev/operator/test/ports"
)

var (
	root    = filepath.Join("..", "..")
	example = filepath.Join(root, "examples", "gitops")
)

// world is an API server with the operator, Flux, and a server of Git repositories.
type world struct {
	environment *envtest.Environment
	admin       *rest.Config
	client      client.WithWatch // as the cluster's administrator
	node        *node
	git         *gitServer
	auditLog    string

	stopOperator func()
}

func startWorld(ctx context.Context, t *testing.T) *world {
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	g.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	g.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	w := &world{stopOperator: func() {}, auditLog: filepath.Join(t.TempDir(), "audit.log"), git: serveGit(t)}
	w.environment = &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases"), filepath.Join(os.Getenv("FLUX"), "crd")},
		ErrorIfCRDPathMissing: true,
		Scheme:                scheme,
		WebhookInstallOptions: envtest.WebhookInstallOptions{
			Paths:                        []string{filepath.Join(root, "config", "webhook", "manifests.yaml")},
			LocalServingHostExternalName: "localhost",
			LocalServingPort:             freePort(g),
		},
	}
	w.environment.ControlPlane.GetAPIServer().Configure().
		Set("audit-log-path", w.auditLog).
		Set("audit-policy-file", filepath.Join("testdata", "audit-policy.yaml"))
	t.Cleanup(func() { g.Expect(w.environment.Stop()).To(Succeed()) })
	var err error
	w.admin, err = w.environment.Start()
	g.Expect(err).NotTo(HaveOccurred())
	w.admin.QPS = -1
	w.client, err = client.NewWithWatch(w.admin, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())

	t.Cleanup(func() { w.stopOperator() })
	w.installOperator(ctx, g)
	w.node = startNode(ctx, t, w.client)
	w.startOperator(ctx, t, clock.RealClock{})
	w.startFlux(ctx, t)
	return w
}

// installOperator makes its namespace and its account, and installs the policy by which the API server holds identities.
func (w *world) installOperator(ctx context.Context, g Gomega) {
	w.namespace(ctx, g, operator.DefaultNamespace)
	account, err := manifests.Account(root)
	g.Expect(err).NotTo(HaveOccurred())
	for _, object := range account {
		g.Expect(client.IgnoreAlreadyExists(w.client.Create(ctx, object))).To(Succeed(), object.GetName())
	}
}

func (w *world) namespace(ctx context.Context, g Gomega, name string) {
	g.Expect(w.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
}

// startOperator runs the operator as its service account. What runs of it ends before.
func (w *world) startOperator(ctx context.Context, t *testing.T, now clock.PassiveClock) {
	g := NewWithT(t)
	w.stopOperator()
	serving := w.environment.WebhookInstallOptions
	mgr, err := operator.New(w.accountConfig(ctx, g, operator.DefaultNamespace, "debugsession-operator"), manager.Options{
		Scheme:                 w.client.Scheme(),
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		Controller:             config.Controller{SkipNameValidation: ptr.To(true)}, // one after another in one process
	}, operator.Options{
		Concurrency: 4, Exec: w.node, Registry: prometheus.NewRegistry(), Clock: now,
		Webhook: operator.WebhookOptions{Host: serving.LocalServingHost, Port: serving.LocalServingPort, ExtraNames: []string{"localhost"}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	w.stopOperator = func() {
		cancel()
		g.Expect(<-done).To(Succeed())
		w.stopOperator = func() {}
	}
	// A session that is created before the policy counts as enforced counts as made by nobody.
	g.Eventually(func(g Gomega) {
		session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "ready"}}
		session.Spec.Target.PodName = "nothing"
		g.Expect(w.client.Create(ctx, session, client.DryRunAll)).To(Succeed())
	}).Should(Succeed())
}

// accountConfig is what a process connects with that runs as a service account.
func (w *world) accountConfig(ctx context.Context, g Gomega, namespace, name string) *rest.Config {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	g.Expect(client.IgnoreAlreadyExists(w.client.Create(ctx, account.DeepCopy()))).To(Succeed())
	token := &authenticationv1.TokenRequest{}
	g.Expect(w.client.SubResource("token").Create(ctx, account, token)).To(Succeed())
	asAccount := rest.AnonymousClientConfig(w.admin)
	asAccount.BearerToken = token.Status.Token
	return asAccount
}

// objects are those of a YAML file.
func objects(g Gomega, file string) []*unstructured.Unstructured {
	all, err := manifests.Read(file)
	g.Expect(err).NotTo(HaveOccurred())
	return all
}

func freePort(g Gomega) int {
	port, err := ports.Free()
	g.Expect(err).NotTo(HaveOccurred())
	return port
}

func loopback(g Gomega) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(g))) }

// ahead is a clock that is ahead of the machine's.
type ahead struct{ by time.Duration }

func (a ahead) Now() time.Time                     { return time.Now().Add(a.by) }
func (a ahead) Since(then time.Time) time.Duration { return a.Now().Sub(then) }
