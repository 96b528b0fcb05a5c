package operator

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	webhookadmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/controllers/debugsession"
	"debugsession.dev/operator/internal/admission"
	"debugsession.dev/operator/internal/admissionpolicy"
	"debugsession.dev/operator/internal/certs"
	"debugsession.dev/operator/internal/seal"
	"debugsession.dev/operator/internal/sessionstatus"
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
	// ClientCAFile names a file with the CA whose certificate the API server shows; left out, none is demanded. If ClientName is
	// set, the certificate must be for it.
	ClientCAFile string
	ClientName   string
}

// admissionInPlace is what the API server asks before it stores our objects: the webhooks, and the policy beside them.
type admissionInPlace struct {
	webhooks *certs.Rotator
	policy   *admissionpolicy.Reconciler
}

func (a *admissionInPlace) InPlace(ctx context.Context) error {
	if err := a.webhooks.Trusted(ctx); err != nil {
		return err
	}
	return a.policy.InPlace(ctx)
}

func (a *admissionInPlace) LeavesOut(ctx context.Context, namespace string) (string, error) {
	return a.webhooks.LeavesOut(ctx, namespace)
}

func (a *admissionInPlace) EnforcedSince(ctx context.Context) (time.Time, error) {
	return a.policy.EnforcedSince(ctx)
}

// newRotator returns the rotator of the certificates, and the server that serves them. The manager takes the server when it is
// made, and the rotator needs the manager: see addWebhooks.
func newRotator(options *Options) (*certs.Rotator, webhook.Server, error) {
	rotator := &certs.Rotator{
		Namespace:  options.Namespace,
		ExtraNames: append([]string{metricsService + "." + options.Namespace + ".svc"}, options.Webhook.ExtraNames...),
		Hooks:      admission.Hooks(),
		Clock:      options.Clock,
	}
	demand, err := demandClientCertificate(options.Webhook.ClientCAFile, options.Webhook.ClientName)
	if err != nil {
		return nil, nil, err
	}
	return rotator, webhook.NewServer(webhook.Options{
		Host:    options.Webhook.Host,
		Port:    options.Webhook.Port,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = rotator.GetCertificate }, demand},
	}), nil
}

// addWebhooks has every replica answer the API server, not the leader alone.
func addWebhooks(mgr manager.Manager, options Options, in *admissionInPlace, sealer *seal.Sealer, reconciler *debugsession.Reconciler,
	refused func(*webhookadmission.Request, string),
) error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	if err := admission.Watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	answers := admission.NewMetrics()
	if err := options.Registry.Register(answers); err != nil {
		return fmt.Errorf("registering the metrics of admission: %w", err)
	}
	(&admission.Server{
		Cached:    mgr.GetClient(),
		Live:      mgr.GetAPIReader(),
		Reviews:   mgr.GetClient(),
		Sealer:    sealer,
		Namespace: reconciler.Namespace,
		Rehearse:  reconciler.Rehearse,
		Refused:   refused,
		Metrics:   answers,
		Clock:     reconciler.Clock,

		AuditStore: reconciler.Records.HasStore(),

		NoteDeletion:  noteDeletion(mgr.GetClient()),
		DeletionLimit: admission.NewDeletionLimit(),

		RehearsalLimit: admission.NewRehearsalLimit(),
		AheadLimit:     admission.NewRehearsalLimit(),
	}).Register(options.Tracing.Webhooks(mgr.GetWebhookServer()))

	in.webhooks.Client, in.policy.Client = mgr.GetClient(), mgr.GetClient()
	if err := in.webhooks.SetupWithManager(mgr, options.Tracing); err != nil {
		return fmt.Errorf("adding the rotator of the certificates: %w", err)
	}
	if err := in.policy.SetupWithManager(mgr, options.Tracing); err != nil {
		return fmt.Errorf("adding the reconciler of the admission policy: %w", err)
	}
	return mgr.AddReadyzCheck("webhooks", admissionTrusted(mgr, in))
}

// noteDeletion writes who deletes a session into its status.
func noteDeletion(c client.Client) func(context.Context, *v1alpha1.DebugSession, v1alpha1.DeletionStatus) error {
	return func(ctx context.Context, session *v1alpha1.DebugSession, deletion v1alpha1.DeletionStatus) error {
		return sessionstatus.Apply(ctx, c, session, "debugsession-admission", map[string]any{"deletedBy": deletion})
	}
}

// admissionTrusted reports whether what is created now is stamped and checked. Why not is also logged, when it changes: a
// kubelet that probes does not tell. So are selectors that leave namespaces out, which do not make the operator unready.
func admissionTrusted(mgr manager.Manager, in *admissionInPlace) healthz.Checker {
	started := mgr.GetWebhookServer().StartedChecker()
	log := mgr.GetLogger().WithName("webhooks")
	var said, selective atomic.Value
	said.Store("")
	selective.Store("")
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), patience)
		defer cancel()
		err := in.InPlace(ctx)
		if err == nil {
			err = started(req)
		}
		why := ""
		if err != nil {
			why = err.Error()
		}
		if said.Swap(why) != why {
			logReadiness(log, why)
		}
		if found, err := in.webhooks.Selective(ctx); err == nil && selective.Swap(found) != found {
			log.Info("namespaces that the webhooks exclude have changed: no session starts in them", "selector", found)
		}
		return err
	}
}

// logReadiness logs that the webhooks are ready, or why they are not. An alert on the key error is not to fire for what is well.
func logReadiness(log logr.Logger, why string) {
	if why == "" {
		log.Info("readiness of the webhooks changed", "ready", true)
		return
	}
	log.Info("readiness of the webhooks changed", "ready", false, "error", why)
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
	return seal.New(key), mgr.Add(seal.NewKeyWatcher(clientset, namespace, key))
}
