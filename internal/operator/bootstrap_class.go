package operator

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/config/classes"
)

// annotationFirstRun on the Secret with the seal says that the installation has been given its first class.
const annotationFirstRun = "debugsession.dev/standard-class-created"

// bootstrapClass creates the class standard, once in the life of an installation: a manifest that is applied in one go cannot
// hold both a kind and an object of it that the operator's own admission has to see. An administrator who deletes the
// class does not get it back.
type bootstrapClass struct {
	client client.Client
	live   client.Reader
	secret types.NamespacedName
}

// +kubebuilder:rbac:groups=debugsession.dev,resources=debugclasses,verbs=create

// NeedLeaderElection keeps the other replicas out.
func (b *bootstrapClass) NeedLeaderElection() bool { return true }

// Start tries until it is done: the webhook that the class has to pass may still be on its way.
func (b *bootstrapClass) Start(ctx context.Context) error {
	backoff := wait.Backoff{Duration: 200 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 1000, Cap: 15 * time.Second}
	err := wait.ExponentialBackoffWithContext(ctx, backoff, func(ctx context.Context) (bool, error) {
		err := b.try(ctx)
		if err != nil {
			log.FromContext(ctx).V(1).Info("class standard not created yet", "error", err.Error())
		}
		return err == nil, nil // tried again, whatever it was
	})
	select {
	case <-ctx.Done(): // the operator is told to end
		return nil
	default:
		return err
	}
}

func (b *bootstrapClass) try(ctx context.Context) error {
	secret := &corev1.Secret{}
	if err := b.live.Get(ctx, b.secret, secret); err != nil {
		return fmt.Errorf("reading the secret %s: %w", b.secret, err)
	}
	if _, done := secret.Annotations[annotationFirstRun]; done {
		return nil
	}
	class := &unstructured.Unstructured{} // as it is written: 1h stays 1h
	if err := yaml.UnmarshalStrict(classes.Standard, class); err != nil {
		return fmt.Errorf("the class standard: %w", err)
	}
	if err := b.client.Create(ctx, class); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating the class standard: %w", err)
	}
	base := secret.DeepCopy()
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	secret.Annotations[annotationFirstRun] = "true"
	return b.client.Patch(ctx, secret, client.MergeFrom(base))
}
