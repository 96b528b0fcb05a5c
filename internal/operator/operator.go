// Package operator puts the parts together into a manager. The binary, the integration tests and the benchmarks all start
// what New returns, so that what is tested is what runs.
package operator

import (
	"fmt"
	"math"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/controllers/debugapproval"
	"debugsession.dev/operator/controllers/debugclass"
	"debugsession.dev/operator/controllers/debugsession"
	"debugsession.dev/operator/internal/admissionpolicy"
	"debugsession.dev/operator/internal/certs"
	"debugsession.dev/operator/internal/collector"
	"debugsession.dev/operator/internal/kube/condensedcache"
	"debugsession.dev/operator/internal/kube/optionalcache"
	"debugsession.dev/operator/internal/kube/podexec"
	"debugsession.dev/operator/internal/kube/podlogs"
	"debugsession.dev/operator/internal/kube/podwatch"
	"debugsession.dev/operator/internal/kube/rbacdelete"
	opmetrics "debugsession.dev/operator/internal/metrics"
	"debugsession.dev/operator/internal/recorder"
	"debugsession.dev/operator/internal/seal"
	"debugsession.dev/operator/internal/tracing"
	"debugsession.dev/operator/internal/transcriber"
)

// Options are the operator's own, beside the manager's.
type Options struct {
	// Concurrency is how many sessions are worked on at once.
	Concurrency int
	// Clock is the operator's; left out, the machine's.
	Clock clock.PassiveClock
	// Exec runs commands in containers; left out, the API server's pods/exec does.
	Exec podexec.Interface
	// Logs reads what containers wrote; left out, the API server's pods/log is read.
	Logs debugsession.LogReader
	// Transcribed follows what containers write, for transcripts; left out, by the API server's pods/log.
	Transcribed transcriber.Source
	// Collected runs the commands by which files that sessions keep are read; left out, the API server's pods/exec does.
	Collected collector.Executor
	// Grants deletes Roles and RoleBindings; left out, by the API server.
	Grants debugsession.GrantDeleter
	// Image is the operator's own image, by which containers can be put to sleep; empty if it runs in no pod.
	Image string
	// Namespace is the operator's own; left out, DefaultNamespace.
	Namespace string
	// Audit says where audit records are stored.
	Audit AuditOptions
	// Webhook says where the API server reaches the operator.
	Webhook WebhookOptions
	// Tracing makes spans; left out, there are none.
	Tracing *tracing.Provider
	// Registry is where the metrics are registered; left out, where the manager serves them from.
	Registry prometheus.Registerer
}

// New returns a manager with the operator in it, ready to be started.
func New(config *rest.Config, managerOptions manager.Options, options Options) (manager.Manager, error) {
	// How much the operator may ask of the API server is for the API server's priority and fairness to say.
	config = rest.CopyConfig(config)
	config.QPS = -1
	options.Tracing.Wrap(config)

	if err := options.complete(config); err != nil {
		return nil, err
	}
	in := &admissionInPlace{policy: &admissionpolicy.Reconciler{Clock: options.Clock}}
	var err error
	if in.webhooks, managerOptions.WebhookServer, err = newRotator(&options); err != nil {
		return nil, err
	}
	secureMetrics(&managerOptions.Metrics, in.webhooks)
	unfinished := &unfinishedWork{}
	managerOptions.Cache = cacheOptions(managerOptions.Cache, options.Namespace, unfinished)
	managerOptions.NewClient = condensedcache.NewClient
	managerOptions.NewCache = optionalcache.New(&v1alpha1.DebugSession{}, &corev1.Pod{}) // sessions end by these alone
	managerOptions.Controller.CacheSyncTimeout = math.MaxInt64                           // a controller waits for its kind; the process does not end for want of it
	mgr, err := ctrl.NewManager(config, managerOptions)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer(mgr, options.Namespace)
	if err != nil {
		return nil, err
	}
	records, refusals, err := addRecorder(mgr, options)
	if err != nil {
		return nil, err
	}
	reconciler, err := addReconciler(mgr, options, sealer, in, records)
	if err != nil {
		return nil, err
	}
	notifier, err := addNotifier(mgr, options, in)
	if err != nil {
		return nil, err
	}
	unfinished.of = []func(*v1alpha1.DebugSession) bool{records.Pending, notifier.Pending}
	if err := addWebhooks(mgr, options, in, sealer, reconciler, tellRefusals(notifier, refusals, options.Clock)); err != nil {
		return nil, err
	}
	if err := mgr.Add(&bootstrapClass{
		client: mgr.GetClient(), live: mgr.GetAPIReader(),
		secret: types.NamespacedName{Namespace: options.Namespace, Name: seal.SecretName},
	}); err != nil {
		return nil, err
	}
	return mgr, addChecks(mgr)
}

func (o *Options) complete(config *rest.Config) error {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Registry == nil {
		o.Registry = metrics.Registry
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if o.Collected == nil {
		o.Collected = podexec.New(config, client)
	}
	if o.Exec == nil {
		o.Exec = podexec.New(config, client)
	}
	o.Exec = o.Tracing.Exec(o.Exec)
	if o.Logs == nil {
		o.Logs = podlogs.New(client)
	}
	if o.Transcribed == nil {
		o.Transcribed = podlogs.New(client)
	}
	if o.Grants == nil {
		o.Grants = rbacdelete.New(client)
	}
	return nil
}

// cacheOptions has the manager hold our own kinds, the pods that the operator made, the names and labels of the namespaces,
// and what makes the webhooks trusted: nothing else in the cluster.
func cacheOptions(options cache.Options, namespace string, unfinished *unfinishedWork) cache.Options {
	ours, err := labels.NewRequirement(v1alpha1.LabelSessionUID, selection.Exists, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	options.ByObject = map[client.Object]cache.ByObject{
		&corev1.Pod{}:            {Label: labels.NewSelector().Add(*ours)},
		&v1alpha1.DebugSession{}: {Transform: condensedcache.Transform(unfinished.pending)},
	}
	certs.Cache(&options, namespace)
	admissionpolicy.Cache(&options)
	options.DefaultTransform = cache.TransformStripManagedFields()
	return options
}

func addReconciler(mgr manager.Manager, options Options, sealer *seal.Sealer, in *admissionInPlace, records *recorder.Recorder) (*debugsession.Reconciler, error) {
	pods, err := podwatch.NewClients(mgr.GetConfig())
	if err != nil {
		return nil, err
	}
	enqueuer := &debugsession.Enqueuer{}
	watcher := podwatch.New(pods, enqueuer.Enqueue)
	if err := mgr.Add(watcher); err != nil {
		return nil, fmt.Errorf("adding the pod watcher: %w", err)
	}
	recorder := opmetrics.New(sessions(mgr), watcher.Len, options.Clock)
	for _, collector := range []prometheus.Collector{recorder, opmetrics.CertificateExpiry(in.webhooks.Expiry)} {
		if err := options.Registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering the metrics: %w", err)
		}
	}
	records.Enqueue = enqueuer.Enqueue
	reconciler := &debugsession.Reconciler{
		Client:      mgr.GetClient(),
		Sessions:    mgr.GetCache(),
		Live:        mgr.GetAPIReader(),
		Pods:        watcher,
		Enqueuer:    enqueuer,
		Exec:        podexec.NewLimiter(options.Exec, options.Concurrency),
		Logs:        options.Logs,
		Grants:      options.Grants,
		Records:     records,
		Image:       options.Image,
		Namespace:   options.Namespace,
		Events:      mgr.GetEventRecorder("debugsession-operator"),
		Metrics:     recorder,
		Clock:       options.Clock,
		Concurrency: options.Concurrency,
		Seal:        sealer,
		Admission:   in,
	}
	if err := reconciler.SetupWithManager(mgr, options.Tracing); err != nil {
		return nil, err
	}
	if err := (&debugapproval.Reconciler{Client: mgr.GetClient(), Sessions: mgr.GetCache(), Seal: sealer, Admission: in, Clock: options.Clock}).SetupWithManager(mgr, options.Tracing); err != nil {
		return nil, err
	}
	return reconciler, (&debugclass.Reconciler{Client: mgr.GetClient(), AuditStore: reconciler.Records.HasStore()}).SetupWithManager(mgr, options.Tracing)
}

// addChecks makes the operator healthy while it runs, and ready once it has seen every session.
func addChecks(mgr manager.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	return mgr.AddReadyzCheck("caches", cachesSynced(mgr))
}
