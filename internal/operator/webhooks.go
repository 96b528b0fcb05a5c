package operator

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"debugsession.dev/operator/internal/admission"
	"debugsession.dev/operator/internal/certs"
	"debugsession.dev/operator/internal/seal"
)

// DefaultNamespace is where the operator runs unless it is told otherwise.
const DefaultNamespace = "debugsession-system"

// startPatience is how long the few requests that are made before the manager starts may take.
const startPatience = 30 * time.Second

// WebhookOptions say where the API server reaches the operator.
type WebhookOptions struct {
	// Host and Port are what is listened on; left out, port 9443 of every address.
	Host string
	Port int
	// ExtraNames are DNS names that the certificate is for, beside the Service's.
	ExtraNames []string
}

// newKeeper returns the keeper of the certificates, and the server that serves them. The manager takes the server when it is
// made, and the keeper needs the manager: see addWebhooks.
func newKeeper(options *Options) (*certs.Keeper, webhook.Server) {
	keeper := &certs.Keeper{
		Namespace:  options.Namespace,
		ExtraNames: options.Webhook.ExtraNames,
		Hooks:      admission.Hooks(),
		Clock:      options.Clock,
	}
	return keeper, webhook.NewServer(webhook.Options{
		Host:    options.Webhook.Host,
		Port:    options.Webhook.Port,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = keeper.GetCertificate }},
	})
}

// addWebhooks has every replica answer the API server, not the leader alone.
func addWebhooks(mgr manager.Manager, keeper *certs.Keeper, sealer *seal.Sealer) error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	if err := admission.Watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	(&admission.Server{
		Cached:  mgr.GetClient(),
		Live:    mgr.GetAPIReader(),
		Reviews: mgr.GetClient(),
		Sealer:  sealer,
	}).Register(mgr.GetWebhookServer())

	keeper.Client = mgr.GetClient()
	if err := keeper.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("adding the keeper of the certificates: %w", err)
	}
	return mgr.AddReadyzCheck("webhooks", webhooksTrusted(mgr, keeper))
}

// webhooksTrusted is whether what is created now is stamped and checked. Why not is also logged, when it changes: a kubelet
// that probes does not tell.
func webhooksTrusted(mgr manager.Manager, keeper *certs.Keeper) healthz.Checker {
	started := mgr.GetWebhookServer().StartedChecker()
	log := mgr.GetLogger().WithName("webhooks")
	var said atomic.Value
	said.Store("")
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), patience)
		defer cancel()
		err := keeper.Trusted(ctx)
		if err == nil {
			err = started(req)
		}
		why := ""
		if err != nil {
			why = err.Error()
		}
		if said.Swap(why) != why {
			log.Info("readiness of the webhooks changed", "ready", err == nil, "reason", why)
		}
		return err
	}
}

// newSealer has the replicas share a key. Nothing is cached yet: the manager does not run.
func newSealer(mgr manager.Manager, namespace string) (*seal.Sealer, error) {
	live, err := client.New(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	key, err := seal.LoadOrCreateKey(ctx, live, namespace)
	if err != nil {
		return nil, err
	}
	clientset, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	return seal.New(key), mgr.Add(seal.NewGuard(clientset, namespace, key))
}
