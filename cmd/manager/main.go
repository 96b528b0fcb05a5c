// The manager is the operator: it serves DebugSessions in the cluster it runs in.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	_ "k8s.io/client-go/plugin/pkg/client/auth/exec" // so that the manager can be run from a developer's kubeconfig
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"debugsession.dev/operator/api/v1alpha1"
	_ "debugsession.dev/operator/internal/auditstore/cloud"
	"debugsession.dev/operator/internal/helmhook"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/internal/podnetwork"
	"debugsession.dev/operator/internal/tracing"
)

// version is set when the binary is built.
var version = "dev"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "sleep" {
		sleep()
		return
	}
	if len(os.Args) > 1 && podnetwork.Is(os.Args[1]) {
		os.Exit(podnetwork.Main(os.Args[1:], os.Stderr))
	}
	if len(os.Args) > 1 && os.Args[1] == "hook" {
		if err := helmhook.Main(ctrl.SetupSignalHandler(), os.Args[2:], ctrl.GetConfig, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "manager hook:", err)
			os.Exit(1)
		}
		return
	}
	err := run(flag.CommandLine, os.Args[1:])
	if operator.Outage(err) {
		ctrl.Log.WithName("setup").Info("restarting, because the API server did not respond", "error", err.Error())
		err = startAnew()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

// startAnew has a new process take the place of this one, as the same container: of one that ends instead the kubelet waits for longer
// each time before it starts it again. Nothing is left of what this one was about to do, as after any end.
func startAnew() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	return fmt.Errorf("restarting: %w", syscall.Exec(path, os.Args, os.Environ()))
}

// sleep is what a container of a copy runs that is put to sleep with the operator's image: nothing, until it is told to end.
func sleep() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
}

type flags struct {
	leaderElect    bool
	probeAddress   string
	metricsAddress string
	metricsSecure  bool
	webhookHost    string
	webhookPort    int
	clientCAFile   string
	clientName     string
	namespace      string
	image          string
	concurrency    int
	auditStore     string
	auditCluster   string
	tracing        tracing.Options
	logLevel       zapcore.Level
}

func (f *flags) bind(set *flag.FlagSet) {
	set.BoolVar(&f.leaderElect, "leader-elect", false, "Use leader election, so that only one of several replicas acts.")
	set.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "The address that serves /healthz and /readyz.")
	set.StringVar(&f.metricsAddress, "metrics-bind-address", ":8443", "The address that serves /metrics; 0 disables it.")
	set.BoolVar(&f.metricsSecure, "metrics-secure", true, "Serve /metrics over HTTPS, only to clients that the API server authorizes; otherwise over HTTP, to everyone.")
	set.IntVar(&f.webhookPort, "webhook-port", 9443, "The port that serves the API server's admission requests.")
	set.StringVar(&f.webhookHost, "webhook-host", "", "The address that serves admission requests. Defaults to all addresses.")
	set.StringVar(&f.clientCAFile, "webhook-client-ca-file", "", "A file with the CA of the client certificate that the API server presents to webhooks, if it is configured to. "+
		"Clients without such a certificate are then rejected. The file is read for each connection.")
	set.StringVar(&f.clientName, "webhook-client-name", "", "The common name that the client certificate must have. Defaults to any.")
	set.StringVar(&f.namespace, "namespace", operator.DefaultNamespace, "The namespace the operator runs in.")
	set.StringVar(&f.image, "image", "", "The operator's own image, which can put containers of a copy to sleep.")
	set.IntVar(&f.concurrency, "concurrency", 64, "How many sessions are reconciled concurrently. One that ends holds a worker until its debugger has ended, for a second or two.")
	set.StringVar(&f.auditStore, "audit-store", "", "Where audit records are stored: file:///folder, s3://bucket or azblob://container, "+
		"with options of gocloud.dev/blob. If not set, they are only logged.")
	set.StringVar(&f.auditCluster, "audit-cluster", "", "The name of this cluster in audit records.")
	set.StringVar(&f.tracing.Endpoint, "tracing-endpoint", "", "The collector that receives traces by OTLP over gRPC: host:port with TLS, https://host:port, "+
		"or http://host:port without TLS. OTEL_EXPORTER_OTLP_* say the rest. If not set, there are no traces.")
	set.IntVar(&f.tracing.SamplingRatePerMillion, "tracing-sampling-rate-per-million", 1_000_000, "How many of a million traces are sent. "+
		"A trace that begins in the API server is sent if the API server sends it.")
	set.Var(&f.logLevel, "zap-log-level", "The log level: debug, info or error.")
}

func run(set *flag.FlagSet, args []string) error {
	var f flags
	f.bind(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	ctrl.SetLogger(newLogger(f.logLevel))
	log := ctrl.Log.WithName("setup")

	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("loading the client configuration: %w", err)
	}
	config.UserAgent = "debugsession-operator/" + version
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))

	ctx := ctrl.SetupSignalHandler()
	f.tracing.Version, f.tracing.Namespace = version, f.namespace
	spans, err := tracing.New(ctx, f.tracing, ctrl.Log.WithName("tracing"))
	if err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	defer spans.Shutdown()
	if err := operator.Await(ctrl.LoggerInto(ctx, log), config, scheme, f.namespace, f.probeAddress); err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	select {
	case <-ctx.Done(): // told to end while it waited
		return nil
	default:
	}
	grace := 10 * time.Second
	mgr, err := operator.New(config, manager.Options{
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: f.metricsAddress, SecureServing: f.metricsSecure},
		HealthProbeBindAddress:        f.probeAddress,
		LeaderElection:                f.leaderElect,
		LeaderElectionID:              "debugsession-operator",
		LeaderElectionNamespace:       f.namespace,
		LeaderElectionReleaseOnCancel: true, // the process ends right after: another replica need not wait
		GracefulShutdownTimeout:       &grace,
	}, operator.Options{
		Concurrency: f.concurrency,
		Namespace:   f.namespace,
		Image:       f.image,
		Tracing:     spans,
		Audit:       operator.AuditOptions{URL: f.auditStore, Cluster: f.auditCluster},
		Webhook:     operator.WebhookOptions{Host: f.webhookHost, Port: f.webhookPort, ClientCAFile: f.clientCAFile, ClientName: f.clientName},
	})
	if err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	operator.LogStart(ctrl.LoggerInto(ctx, log), config, version)
	return mgr.Start(ctx)
}
