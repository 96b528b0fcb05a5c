package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/test/ports"
)

// roleVariable has this binary be the manager, when it starts itself.
const roleVariable = "MANAGER_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "manager" {
		main()
		return
	}
	os.Exit(m.Run())
}

// An API server that does not answer ends no operator: it waits, live and not ready, at its start and also after it has lost its
// lease. To the kubelet it is the same process for all of that.
func TestTheManagerOutlivesOutages(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS is not set: there is no API server to test with; `make test` builds one")
	}
	environment, cluster := startAPIServer(t, filepath.Join("..", "..", "config", "crd", "bases"))
	between := newProxy(t, environment.Config.Host)
	between.cut()
	manager := startManager(t, environment, between)

	manager.until(t, "it is live, and not ready", 20*time.Second, func() bool { return manager.live() && !manager.ready() })
	time.Sleep(2 * awaited) // several tries
	manager.is(t, "it waits for an API server that is down at its start", func() bool { return manager.live() && !manager.ready() })

	between.mend(t)
	manager.until(t, "it is ready", 30*time.Second, manager.ready)
	first := ""
	manager.until(t, "it leads", 30*time.Second, func() bool { first = leader(t, cluster); return first != "" })

	between.cut()
	manager.until(t, "it has lost its lease, and starts anew", time.Minute, func() bool {
		return bytes.Contains(manager.said(), []byte("restarting"))
	})
	manager.until(t, "it is live, and not ready", 20*time.Second, func() bool { return manager.live() && !manager.ready() })

	between.mend(t)
	manager.until(t, "it is ready again", 30*time.Second, manager.ready)
	manager.until(t, "it leads again", time.Minute, func() bool { now := leader(t, cluster); return now != "" && now != first })
	manager.is(t, "it is the process that was started", func() bool { return manager.cmd.Process.Signal(syscall.Signal(0)) == nil })
}

// An operator that is applied before the CRDs of its version waits for that of sessions, live and not ready, and says so. For that of sinks
// it does not: it must end sessions without. It tells sinks as soon as there can be any.
func TestTheManagerStartsBeforeItsKinds(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS is not set: there is no API server to test with; `make test` builds one")
	}
	bases := filepath.Join("..", "..", "config", "crd", "bases")
	kind := func(plural string) string { return filepath.Join(bases, "debugsession.dev_"+plural+".yaml") }
	environment, cluster := startAPIServer(t, kind("debugclasses"), kind("debugapprovals"))
	manager := startManager(t, environment, newProxy(t, environment.Config.Host))
	install := func(plural string) {
		t.Helper()
		if _, err := envtest.InstallCRDs(environment.Config,
			envtest.CRDInstallOptions{Paths: []string{kind(plural)}, ErrorIfPathMissing: true}); err != nil {
			t.Fatal(err)
		}
	}

	manager.until(t, "it says what it waits for", 30*time.Second, func() bool {
		return bytes.Contains(manager.said(), []byte("CustomResourceDefinition debugsessions.debugsession.dev is missing"))
	})
	time.Sleep(2 * awaited) // several tries
	manager.is(t, "it waits for a kind", func() bool { return manager.live() && !manager.ready() })

	install("debugsessions")
	manager.until(t, "it is ready", 30*time.Second, manager.ready)
	manager.until(t, "it leads", 30*time.Second, func() bool { return leader(t, cluster) != "" })
	sinks := func() bool {
		return bytes.Contains(manager.said(), []byte(`"Starting workers","controller":"debugsink"`))
	}
	time.Sleep(2 * awaited)
	manager.is(t, "it waits for no sinks, and there are none to tell", func() bool { return manager.ready() && !sinks() })

	install("debugsinks")
	manager.until(t, "it tells sinks", 30*time.Second, sinks)
}

// awaited is longer than the pause between two tries to reach the API server.
const awaited = 2 * time.Second

// startAPIServer starts one with what an installation has: the kinds, the webhooks' configuration and the namespace.
func startAPIServer(t *testing.T, kinds ...string) (*envtest.Environment, kubernetes.Interface) {
	t.Helper()
	base := filepath.Join("..", "..", "config")
	environment := &envtest.Environment{
		CRDDirectoryPaths:     kinds,
		ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{filepath.Join(base, "webhook", "manifests.yaml")}},
	}
	config, err := environment.Start()
	if err != nil {
		t.Fatal("starting an API server:", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error("stopping the API server:", err)
		}
	})
	cluster, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operator.DefaultNamespace}}
	if _, err := cluster.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return environment, cluster
}

func leader(t *testing.T, cluster kubernetes.Interface) string {
	t.Helper()
	var lease *coordinationv1.Lease
	lease, err := cluster.CoordinationV1().Leases(operator.DefaultNamespace).Get(t.Context(), "debugsession-operator", metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// running is a manager that was started as a process.
type running struct {
	cmd    *exec.Cmd
	probes string
	ended  chan struct{} // closed

	mu  sync.Mutex
	log bytes.Buffer
}

func startManager(t *testing.T, environment *envtest.Environment, through *proxy) *running {
	t.Helper()
	config, err := clientcmd.Load(environment.KubeConfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + through.address
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	m := &running{probes: freeAddress(t), ended: make(chan struct{})}
	m.cmd = exec.Command(os.Args[0], "--leader-elect", "--metrics-bind-address=0", "--health-probe-bind-address="+m.probes,
		"--webhook-host=localhost", "--webhook-port="+strconv.Itoa(environment.WebhookInstallOptions.LocalServingPort),
		"--kubeconfig="+kubeconfig)
	m.cmd.Env = append(os.Environ(), roleVariable+"=manager")
	m.cmd.Stdout, m.cmd.Stderr = m, m
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(m.ended)
		_ = m.cmd.Wait() // how it has ended is in its log
	}()
	t.Cleanup(func() {
		_ = m.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-m.ended:
		case <-time.After(30 * time.Second):
			t.Error("the manager does not end when it is told to")
			_ = m.cmd.Process.Kill()
		}
		if t.Failed() {
			t.Logf("the manager said:\n%s", m.said())
		}
	})
	return m
}

// Write keeps what the manager logs.
func (m *running) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.Write(p)
}

func (m *running) said() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.log.Bytes())
}

func (m *running) live() bool  { return m.probe("healthz") == http.StatusOK }
func (m *running) ready() bool { return m.probe("readyz") == http.StatusOK }

func (m *running) probe(name string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/%s", m.probes, name), http.NoBody)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

func (m *running) is(t *testing.T, what string, so func() bool) {
	t.Helper()
	select {
	case <-m.ended:
		t.Fatalf("the manager has ended: %v", m.cmd.ProcessState)
	default:
	}
	if !so() {
		t.Fatalf("not so: %s", what)
	}
}

func (m *running) until(t *testing.T, what string, patience time.Duration, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s, and not so: %s", patience, what)
		}
	}
	m.is(t, what, func() bool { return true })
}

// proxy stands between the manager and the API server, and can be cut.
type proxy struct {
	address, to string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	url, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: freeAddress(t), to: url.Host, open: map[net.Conn]bool{}}
	p.mend(t)
	t.Cleanup(p.cut)
	return p
}

// mend has it listen.
func (p *proxy) mend(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", p.to)
			if err != nil {
				_ = from.Close()
				continue
			}
			go p.join(from, to)
			go p.join(to, from)
		}
	}()
}

// join copies what comes from one to the other, and ends both when that is over.
func (p *proxy) join(from, to net.Conn) {
	p.mu.Lock()
	p.open[from] = true
	p.mu.Unlock()
	_, _ = io.Copy(to, from)
	_, _ = from.Close(), to.Close()
	p.mu.Lock()
	delete(p.open, from)
	p.mu.Unlock()
}

// cut refuses every connection, and ends those that there are.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for connection := range p.open {
		_ = connection.Close()
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
