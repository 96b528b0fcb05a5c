package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"debugsession.dev/operator/internal/jsonpatch"
	"debugsession.dev/operator/internal/tampering"
	"debugsession.dev/operator/internal/tracing"
)

const (
	// SecretName is the Secret, in the operator's namespace, that holds the CA and the serving certificate. Deleting it has
	// both made anew; for a moment, creations are then refused.
	SecretName = "debugsession-webhook-cert"

	// ConfigurationName is the name of both webhook configurations.
	ConfigurationName = "debugsession"

	// ServiceName is the Service, in the operator's namespace, at which the API server calls the webhooks.
	ServiceName = "debugsession-webhook"
)

// recheck is how often the end of the certificates is looked at.
const recheck = 12 * time.Hour

// errNone is why a TLS handshake fails in the first moments.
var errNone = errors.New("the webhooks have no certificate yet")

// Rotator keeps the certificates. Every replica runs one.
type Rotator struct {
	// Client reads from the cache that Cache describes, and writes.
	Client client.Client
	// Namespace is the operator's.
	Namespace string
	// ExtraNames are DNS names to serve beside the Service's.
	ExtraNames []string
	// Hooks are the webhooks that have to be in place: see Trusted.
	Hooks []Hook
	// Clock is read to see whether a certificate is about to end.
	Clock clock.PassiveClock

	// Tampering is shown the two configurations whenever they change.
	Tampering tampering.Detector

	serving atomic.Pointer[served]
}

type served struct {
	certificate *tls.Certificate
	ca          []byte // PEM
}

// Cache has the manager's cache hold the one Secret and the two configurations: nothing else of their kinds may be read.
func Cache(options *cache.Options, namespace string) {
	if options.ByObject == nil {
		options.ByObject = map[client.Object]cache.ByObject{}
	}
	configuration := cache.ByObject{Field: fields.OneTermEqualSelector(metav1.ObjectNameField, ConfigurationName)}
	options.ByObject[&admissionregistrationv1.MutatingWebhookConfiguration{}] = configuration
	options.ByObject[&admissionregistrationv1.ValidatingWebhookConfiguration{}] = configuration
	options.ByObject[&corev1.Secret{}] = cache.ByObject{
		Namespaces: map[string]cache.Config{namespace: {}},
		Field:      fields.OneTermEqualSelector(metav1.ObjectNameField, SecretName),
	}
}

// GetCertificate is for a tls.Config: each handshake gets the newest certificate.
func (r *Rotator) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if now := r.serving.Load(); now != nil {
		return now.certificate, nil
	}
	return nil, errNone
}

// Expiry is when the certificate ends that is served now; zero before there is one.
func (r *Rotator) Expiry() time.Time {
	now := r.serving.Load()
	if now == nil || now.certificate.Leaf == nil {
		return time.Time{}
	}
	return now.certificate.Leaf.NotAfter
}

// Reconcile makes, serves and announces the certificates. There is but one thing to reconcile: the request is not looked at.
func (r *Rotator) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	secret, err := r.secret(ctx)
	if outrun(err) {
		return ctrl.Result{}, nil // another replica was first: what it wrote is on its way to the cache
	}
	if secret == nil {
		return ctrl.Result{}, err
	}
	certificate, unusable := pair(secret.Data)
	if unusable != nil {
		return ctrl.Result{}, unusable
	}
	r.serving.Store(&served{certificate: certificate, ca: secret.Data[caCertField]})
	if err := errors.Join(err, r.announce(ctx, secret.Data[caCertField])); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: recheck}, nil
}

func outrun(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

// secret returns the Secret with certificates in it that are good for a while. If these cannot be written, it returns those that there
// are with the error, as long as they are valid.
func (r *Rotator) secret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: SecretName}, secret)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return nil, err
	}
	if missing {
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: SecretName}}
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	before, authority, now := maps.Clone(secret.Data), newAuthority(r.names()), r.Clock.Now()
	changed, err := authority.renew(secret.Data, now)
	if err != nil {
		return nil, err
	}
	if !changed {
		return secret, nil
	}
	log.FromContext(ctx).Info("generating webhook certificates", "secret", client.ObjectKeyFromObject(secret))
	if missing {
		err = r.Client.Create(ctx, secret)
	} else {
		err = r.Client.Update(ctx, secret)
	}
	if err == nil {
		return secret, nil
	}
	if !authority.valid(before, now) {
		return nil, err
	}
	secret.Data = before
	return secret, err
}

func (r *Rotator) names() []string {
	return append([]string{ServiceName + "." + r.Namespace + ".svc"}, r.ExtraNames...)
}

// announce has the API server trust the CA, wherever it does not yet. A configuration that is not there is waited for: its
// creation wakes the Rotator.
func (r *Rotator) announce(ctx context.Context, ca []byte) error {
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	for _, configuration := range []client.Object{mutating, validating} {
		err := r.Client.Get(ctx, client.ObjectKey{Name: ConfigurationName}, configuration)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return errors.Join(
		r.inject(ctx, mutating, bundles(mutatingHooks(mutating)), ca),
		r.inject(ctx, validating, bundles(validatingHooks(validating)), ca),
	)
}

func bundles(hooks []hook) [][]byte {
	result := make([][]byte, len(hooks))
	for i := range hooks {
		result[i] = hooks[i].caBundle
	}
	return result
}

// inject writes the CA beside each webhook that has another. The rest of the configuration is not sent: it may have fields
// that are newer than this code.
func (r *Rotator) inject(ctx context.Context, configuration client.Object, bundles [][]byte, ca []byte) error {
	patch := jsonpatch.Patch{jsonpatch.Test("/metadata/resourceVersion", configuration.GetResourceVersion())}
	for i, bundle := range bundles {
		if !bytes.Equal(bundle, ca) {
			patch = append(patch, jsonpatch.Add(fmt.Sprintf("/webhooks/%d/clientConfig/caBundle", i), ca))
		}
	}
	if len(patch) == 1 {
		return nil
	}
	err := r.Client.Patch(ctx, configuration, patch)
	if outrun(err) || apierrors.IsInvalid(err) { // a failed test: it has changed, and the change wakes the Rotator
		return nil
	}
	return client.IgnoreNotFound(err)
}

// SetupWithManager has the Rotator run with every replica, as soon as the manager starts.
func (r *Rotator) SetupWithManager(mgr ctrl.Manager, trace *tracing.Provider) error {
	once := func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		queue.Add(ctrl.Request{}) // also if there is nothing yet that could change
		return nil
	}
	wake := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request { return []ctrl.Request{{}} })
	return ctrl.NewControllerManagedBy(mgr).
		Named("webhook-certificates").
		Watches(&corev1.Secret{}, wake).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, wake, builder.WithPredicates(r.noting())).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, wake, builder.WithPredicates(r.noting())).
		WatchesRawSource(source.Func(once)).
		WithOptions(controller.Options{NeedLeaderElection: ptr.To(false)}).
		Complete(trace.Reconciler("WebhookCertificates", r))
}
