// Package integration runs the operator against a real API server. There is no kubelet: the tests say what one would.
package integration

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/test/ports"
)

var (
	environment *envtest.Environment
	restConfig  *rest.Config
	k8s         client.Client // as the cluster's administrator
	scheme      = runtime.NewScheme()
	leader      manager.Manager // of the operator that was started last

	probeAddress string // where the operator under test says whether it is ready
)

// patience is for a machine that has much else to do. A spec whose point is that something comes soon says itself how soon.
const patience = 30 * time.Second

func TestIntegration(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS names no folder with etcd and kube-apiserver; make test-integration builds them")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "integration")
}

var _ = BeforeSuite(func() {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))

	environment = &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		Scheme:                scheme,
		WebhookInstallOptions: envtest.WebhookInstallOptions{
			Paths:                        []string{filepath.Join("..", "..", "config", "webhook", "manifests.yaml")},
			LocalServingHostExternalName: "localhost",
			LocalServingPort:             freePort(), // it is let go and taken again by each operator that is started
		},
	}
	DeferCleanup(func() { Expect(environment.Stop()).To(Succeed()) })
	showCertificates(GinkgoT().TempDir())
	var err error
	restConfig, err = environment.Start()
	Expect(err).NotTo(HaveOccurred())
	restConfig.QPS = -1
	k8s, err = client.New(restConfig, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	installAccount(context.Background())

	probeAddress = net.JoinHostPort("localhost", strconv.Itoa(freePort()))
	policyEnforced(context.Background())
})

// policyEnforced waits until the policy that was just created counts as enforced by every API server. A session that is created
// before counts as made by nobody: so would those of the spec that comes first.
func policyEnforced(ctx context.Context) {
	const propagation = 2 * time.Second // as in internal/admissionpolicy
	Eventually(func(g Gomega) {
		policy, binding := policy(ctx)
		for _, object := range []client.Object{policy, binding} {
			g.Expect(time.Now()).To(BeTemporally(">", object.GetCreationTimestamp().Add(propagation)))
		}
	}).Should(Succeed())
}

// concurrency is how many sessions the operator under test works on at once.
const concurrency = 4

// startOperator runs the operator, with the rights it has in a cluster and no more, until the returned function is called or
// the test ends. It returns when sessions can be created.
func startOperator(exec *kubelet, change ...func(*manager.Options, *operator.Options)) (stop func()) {
	stop = launchOperator(exec, environment.WebhookInstallOptions.LocalServingPort, change...)
	Eventually(func() error {
		return k8s.Create(context.Background(), newSession("default", "ready", "nothing"), client.DryRunAll)
	}).Should(Succeed())
	return stop
}

// freePort is one that nobody listens on.
func freePort() int {
	GinkgoHelper()
	port, err := ports.Free()
	Expect(err).NotTo(HaveOccurred())
	return port
}

// operators is how many run.
var operators int

// launchOperator runs the operator with its webhooks at a port, and does not wait for it.
func launchOperator(exec *kubelet, port int, change ...func(*manager.Options, *operator.Options)) (stop func()) {
	options := manager.Options{
		Scheme:                 scheme,
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: probeAddress,
		Controller:             config.Controller{SkipNameValidation: ptr.To(true)}, // one after another in one process
	}
	own := operator.Options{
		Concurrency: concurrency, Exec: exec, Registry: prometheus.NewRegistry(),
		Webhook: operator.WebhookOptions{Host: environment.WebhookInstallOptions.LocalServingHost, Port: port,
			ExtraNames: []string{"localhost"}},
	}
	for _, c := range change {
		c(&options, &own)
	}
	mgr, err := operator.New(accountConfig(), options, own)
	Expect(err).NotTo(HaveOccurred())
	leader = mgr

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	operators++
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			operators--
			cancel()
			Expect(<-done).To(Succeed())
		}
	}
	DeferCleanup(stop)
	return stop
}

// newNamespace makes a namespace for one test.
func newNamespace(ctx context.Context, labels map[string]string) string {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: labels}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "default"}}
	Expect(k8s.Create(ctx, account)).To(Succeed())
	return namespace.Name
}
