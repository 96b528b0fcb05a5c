package seal

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// ErrKeyChanged is why a KeyWatcher ends.
var ErrKeyChanged = errors.New("the sealing key was deleted or replaced: all replicas must restart")

// KeyWatcher sees that every replica seals with the key that the Secret holds. When it is deleted or replaced, a replica that started
// later would have another one than this: each would distrust what the other has stamped. So the process ends, and the one
// that the kubelet starts in its place loads the key that all have by then.
type KeyWatcher struct {
	client    kubernetes.Interface
	namespace string
	key       []byte
}

// NewKeyWatcher returns a KeyWatcher of the key that LoadOrCreateKey has returned.
func NewKeyWatcher(client kubernetes.Interface, namespace string, key []byte) *KeyWatcher {
	return &KeyWatcher{client: client, namespace: namespace, key: key}
}

// NeedLeaderElection has every replica guard its own.
func (w *KeyWatcher) NeedLeaderElection() bool { return false }

// Start watches until the context ends, or returns ErrKeyChanged.
func (w *KeyWatcher) Start(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	look := func(object any) {
		secret, ok := object.(*corev1.Secret)
		if !ok || subtle.ConstantTimeCompare(secret.Data[keyField], w.key) != 1 {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}
	informer := cache.NewSharedInformer(cache.NewListWatchFromClient(w.client.CoreV1().RESTClient(), "secrets", w.namespace,
		fields.OneTermEqualSelector("metadata.name", SecretName)), &corev1.Secret{}, 0)
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    look,
		UpdateFunc: func(_, now any) { look(now) },
		DeleteFunc: func(any) { look(nil) },
	}); err != nil {
		return fmt.Errorf("watching the secret %s/%s: %w", w.namespace, SecretName, err)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go informer.RunWithContext(watching)
	select {
	case <-ctx.Done():
		return nil
	case <-changed:
		return ErrKeyChanged
	}
}
