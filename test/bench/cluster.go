package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
)

// Who acts. The operator is its service account, so that RBAC judges what it asks as on any cluster.
const (
	operatorUser  = "system:serviceaccount:" + operatorNamespace + ":debugsession-operator"
	requesterUser = "alice"
	rawAgent      = "bench-raw-client"

	operatorNamespace = "debugsession-system"
)

// cluster is an API server with its etcd, and nothing else.
type cluster struct {
	environment *envtest.Environment
	folder      string
	admin       *restclient.Config
	operator    *restclient.Config
	requester   *restclient.Config
	// requesterKubeconfig is the requester's, for kubectl.
	requesterKubeconfig string
	operatorKubeconfig  string
	client              client.Client // the admin's
	audit               *auditLog
	installed           installation
}

func startCluster(ctx context.Context, manifests, out string) (*cluster, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS names no folder with etcd, kube-apiserver and kubectl; make bench builds them")
	}
	logf.SetLogger(logr.Discard()) // what goes wrong is returned
	folder, err := os.MkdirTemp("", "debugsession-bench-")
	if err != nil {
		return nil, err
	}
	c := &cluster{folder: folder, environment: &envtest.Environment{}}
	policy := filepath.Join(folder, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return c, err
	}
	c.audit = &auditLog{path: filepath.Join(out, "audit.log")}
	if err := os.Remove(c.audit.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return c, err
	}
	c.environment.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", policy).
		Append("audit-log-path", c.audit.path)
	if c.admin, err = c.environment.Start(); err != nil {
		return c, fmt.Errorf("starting etcd and the API server: %w", err)
	}
	c.admin.QPS = -1
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	if c.client, err = client.New(c.admin, client.Options{Scheme: scheme}); err != nil {
		return c, err
	}
	if err := c.addUsers(); err != nil {
		return c, err
	}
	if c.installed, err = install(ctx, c.client, manifests); err != nil {
		return c, fmt.Errorf("installing %s: %w", manifests, err)
	}
	return c, nil
}

func (c *cluster) addUsers() (err error) {
	c.operator, c.operatorKubeconfig, err = c.addUser("operator", envtest.User{
		Name:   operatorUser,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorNamespace},
	})
	if err == nil {
		c.requester, c.requesterKubeconfig, err = c.addUser("requester", envtest.User{Name: requesterUser})
	}
	return err
}

// addUser returns a user's client configuration, and the path of a kubeconfig that says the same.
func (c *cluster) addUser(file string, user envtest.User) (*restclient.Config, string, error) {
	added, err := c.environment.AddUser(user, &restclient.Config{QPS: -1})
	if err != nil {
		return nil, "", fmt.Errorf("adding user %s: %w", user.Name, err)
	}
	kubeconfig, err := added.KubeConfig()
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join(c.folder, file+".kubeconfig")
	return added.Config(), path, os.WriteFile(path, kubeconfig, 0o600)
}

// clientOf returns a client that acts as the user of the configuration.
func (c *cluster) clientOf(config *restclient.Config) (client.Client, error) {
	return client.New(config, client.Options{Scheme: c.client.Scheme(), Mapper: c.client.RESTMapper()})
}

// kubectl is the path of the real one.
func (c *cluster) kubectl() string {
	return filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
}

func (c *cluster) stop() error {
	return errors.Join(c.environment.Stop(), os.RemoveAll(c.folder))
}
