package operator

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/collector"
	"debugsession.dev/operator/internal/index"
	"debugsession.dev/operator/internal/recorder"
	"debugsession.dev/operator/internal/transcriber"
)

// AuditOptions say where audit records are stored.
type AuditOptions struct {
	// URL is the store's; left out, records go to the log alone.
	URL string
	// Store takes its place in tests.
	Store *auditstore.Store
	// Cluster is what records call the cluster.
	Cluster string
}

// addRecorder has audit records logged, and stored if there is a store: of sessions, and of what admission refuses.
func addRecorder(mgr manager.Manager, options Options) (*recorder.Recorder, *recorder.Refusals, error) {
	records := newRecorder(mgr, options)
	if err := addStore(mgr, options, records); err != nil {
		return nil, nil, err
	}
	refusals := recorder.NewRefusals(records)
	return records, refusals, mgr.Add(refusals)
}

func newRecorder(mgr manager.Manager, options Options) *recorder.Recorder {
	records := &recorder.Recorder{
		Cluster: options.Audit.Cluster,
		Client:  mgr.GetClient(),
		Cache:   mgr.GetCache(),
		Events:  mgr.GetEventRecorder("debugsession-operator"),
		Metrics: recorder.NewMetrics(),
		Clock:   options.Clock,
		Approvals: func(ctx context.Context, session *v1alpha1.DebugSession) ([]v1alpha1.DebugApproval, error) {
			return index.ApprovalsOf(ctx, mgr.GetClient(), client.ObjectKeyFromObject(session))
		},
	}
	records.Prepare()
	return records
}

// addStore has the recorder store records, if there is a store.
func addStore(mgr manager.Manager, options Options, records *recorder.Recorder) error {
	store := options.Audit.Store
	if store == nil && options.Audit.URL != "" {
		var err error
		if store, err = auditstore.Open(context.Background(), options.Audit.URL); err != nil {
			return err
		}
	}
	if store == nil {
		return nil
	}
	if err := options.Registry.Register(records.Metrics); err != nil {
		return fmt.Errorf("registering the metrics of audit records: %w", err)
	}
	live, err := client.New(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	key, err := recorder.LoadOrCreateKey(ctx, live, options.Namespace)
	if err != nil {
		return err
	}
	anchor := &recorder.Anchor{Client: live, Namespace: options.Namespace, Store: store.Name(), Public: key.Public().(ed25519.PublicKey)}
	records.Chain = auditstore.NewChain(store, key, anchor)
	if err := mgr.Add(anchor); err != nil {
		return err
	}
	if err := addTranscriber(mgr, options, records, store); err != nil {
		return err
	}
	files := &collector.Collector{
		Store: store, Exec: options.Collected, Cache: mgr.GetCache(), Enqueue: func(session types.NamespacedName) { records.Enqueue(session) },
	}
	records.Collector = files
	if err := mgr.Add(files); err != nil {
		return err
	}
	return mgr.Add(records)
}

// addTranscriber has the recorder's records name transcripts, of the sessions whose class wants them.
func addTranscriber(mgr manager.Manager, options Options, records *recorder.Recorder, store *auditstore.Store) error {
	transcripts := &transcriber.Transcriber{
		Store: store, Source: options.Transcribed, Cache: mgr.GetCache(), Metrics: transcriber.NewMetrics(),
		Enqueue: func(session types.NamespacedName) { records.Enqueue(session) }, Complete: records.TranscriptComplete,
	}
	if err := options.Registry.Register(transcripts.Metrics); err != nil {
		return fmt.Errorf("registering the metrics of transcripts: %w", err)
	}
	records.Transcripts = transcripts
	return mgr.Add(transcripts)
}
