package flux

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// startFlux runs source-controller and kustomize-controller, each as its service account with the rights that an installation of Flux
// gives it.
func (w *world) startFlux(ctx context.Context, t *testing.T) {
	g := NewWithT(t)
	w.namespace(ctx, g, fluxNamespace)
	for _, controller := range []string{"source-controller", "kustomize-controller"} {
		for _, object := range objects(g, filepath.Join(os.Getenv("FLUX"), controller+"-role.yaml")) {
			object.SetName(controller)
			g.Expect(w.client.Create(ctx, object)).To(Succeed())
		}
		w.bind(ctx, g, controller, controller)
	}
	w.bind(ctx, g, "kustomize-controller", "cluster-admin")

	storage := loopback(g)
	w.startController(ctx, t, "source-controller",
		"--storage-path="+t.TempDir(), "--storage-addr="+storage, "--storage-adv-addr="+storage)
	w.startController(ctx, t, "kustomize-controller", "--requeue-dependency=2s", "--interval-jitter-percentage=0")
}

func (w *world) bind(ctx context.Context, g Gomega, account, role string) {
	g.Expect(w.client.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account + "-" + role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: fluxNamespace, Name: account}},
	})).To(Succeed())
}

func (w *world) startController(ctx context.Context, t *testing.T, name string, args ...string) {
	g := NewWithT(t)
	home := t.TempDir()
	kubeconfig := filepath.Join(home, "kubeconfig")
	content, err := kubeconfigOf(w.accountConfig(ctx, g, fluxNamespace, name))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(kubeconfig, content, 0o600)).To(Succeed())
	log, err := os.Create(filepath.Join(home, "log"))
	g.Expect(err).NotTo(HaveOccurred())

	process := exec.CommandContext(ctx, filepath.Join(os.Getenv("FLUX"), name),
		append([]string{"--metrics-addr=0", "--health-addr=0", "--log-level=info"}, args...)...)
	process.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+home, "TMPDIR="+home, "RUNTIME_NAMESPACE="+fluxNamespace)
	process.Stdout, process.Stderr = log, log
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also if this process is killed
	g.Expect(process.Start()).To(Succeed())
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s said last:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
}

// kubeconfigOf is a configuration as a file.
func kubeconfigOf(config *rest.Config) ([]byte, error) {
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["test"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: config.BearerToken}
	kubeconfig.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	kubeconfig.CurrentContext = "test"
	return clientcmd.Write(*kubeconfig)
}
