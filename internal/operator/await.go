package operator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/seal"
)

const (
	// awaitPause is the pause between two tries of what a manager needs before it can be made. It does not grow: a start after a
	// long outage is as quick as one after a short one.
	awaitPause = time.Second

	// awaitPatience is how long one request may take, should the API server not even refuse.
	awaitPatience = 10 * time.Second
)

// leaderElectionLost is the text of the error with which a manager ends that could not renew its lease: controller-runtime has no
// value for it.
const leaderElectionLost = "leader election lost"

// Await returns when the API server answers what New asks it: which kinds there are, the session's among them, and the Secret with
// the key of the seals. Until then it serves the probes at an address, live and not ready: an operator that ended instead would be
// started again later and later, however short the pause that it needs. The other kinds are not waited for: sessions end without them,
// and what is theirs begins when they are there. It returns early when the context ends, and fails if it cannot serve.
func Await(ctx context.Context, config *rest.Config, scheme *runtime.Scheme, namespace, probeAddress string) error {
	said := &atomic.Value{}
	said.Store("")
	stop, err := serveWaiting(ctx, probeAddress, said)
	if err != nil {
		return err
	}
	defer stop()
	for {
		err := answers(ctx, config, scheme, namespace)
		if err == nil {
			return nil
		}
		if said.Swap(err.Error()) != err.Error() {
			log.FromContext(ctx).Info("waiting for the API server", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(awaitPause):
		}
	}
}

// answers tries once. Its client is its own: one that was made while nothing could be discovered knows no kinds.
func answers(ctx context.Context, config *rest.Config, scheme *runtime.Scheme, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	config = rest.CopyConfig(config)
	config.Timeout = awaitPatience
	live, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	if err := served(live, &v1alpha1.DebugSession{}); err != nil {
		return err
	}
	_, err = seal.LoadOrCreateKey(ctx, live, namespace)
	return err
}

// served fails if the API server does not serve a kind of ours.
func served(live client.Client, object client.Object) error {
	gvk, err := live.GroupVersionKindFor(object)
	if err != nil {
		return err
	}
	_, err = live.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		resource, _ := meta.UnsafeGuessKindToResource(gvk)
		return fmt.Errorf("CustomResourceDefinition %s is missing or does not serve %s: apply the CRDs of this operator version; the operator then continues by itself",
			resource.GroupResource(), gvk.Version)
	}
	return err
}

// serveWaiting serves the probes of an operator that waits, and what for. An address of "0" is none, as for a manager.
func serveWaiting(ctx context.Context, address string, reason *atomic.Value) (stop func(), err error) {
	if address == "" || address == "0" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serving the probes: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, fmt.Sprint("waiting for the API server: ", reason.Load()), http.StatusServiceUnavailable)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: awaitPatience}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // which ends when it is closed
	}()
	return func() {
		_ = server.Close()
		<-served
	}, nil
}

// Outage reports whether a manager could not be made, or has ended, because the API server did not answer. What is needed then is
// another try in a process that remembers nothing, and no pause.
func Outage(err error) bool {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return false
	case strings.Contains(err.Error(), leaderElectionLost):
		return true
	case errors.As(err, &status):
		code := status.Status().Code
		return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests
	default:
		return errors.As(err, new(*url.Error)) || errors.Is(err, context.DeadlineExceeded)
	}
}
