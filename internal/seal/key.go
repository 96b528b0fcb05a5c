package seal

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// SecretName is the Secret, in the operator's namespace, that holds the key. Whoever reads it can forge identities;
	// if it is lost, what was sealed with it is trusted no more.
	SecretName = "debugsession-seal"

	keyField  = "key"
	keyLength = 32
)

// LoadOrCreateKey returns the key that the operator's replicas share. The first one to ask creates it. The client must not
// be a cached one: two replicas may ask at once.
func LoadOrCreateKey(ctx context.Context, c client.Client, namespace string) ([]byte, error) {
	secret := &corev1.Secret{}
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: SecretName}, secret)
	if apierrors.IsNotFound(err) {
		secret, err = createKey(ctx, c, namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s/%s with the sealing key: %w", namespace, SecretName, err)
	}
	key := secret.Data[keyField]
	if len(key) != keyLength {
		return nil, fmt.Errorf("secret %s/%s: field %q must have %d bytes, but has %d; delete the Secret to generate a new key: "+
			"the operator then trusts no session created before", namespace, SecretName, keyField, keyLength, len(key))
	}
	return key, nil
}

// createKey returns the Secret as it is in the end, whichever replica was first.
func createKey(ctx context.Context, c client.Client, namespace string) (*corev1.Secret, error) {
	key := make([]byte, keyLength)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	immutable := true
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: SecretName},
		Immutable:  &immutable,
		Data:       map[string][]byte{keyField: key},
	}
	err := c.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		err = c.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	}
	return secret, err
}
