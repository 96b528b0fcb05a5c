package recorder

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/internal/audit"
)

// +kubebuilder:rbac:groups="",namespace=debugsession-system,resources=secrets,resourceNames=debugsession-audit,verbs=get
// +kubebuilder:rbac:groups="",namespace=debugsession-system,resources=secrets;configmaps,verbs=create
// +kubebuilder:rbac:groups="",namespace=debugsession-system,resources=configmaps,resourceNames=debugsession-audit,verbs=get;update

const (
	// secretName is the Secret, in the operator's namespace, with the key that signs the links.
	secretName = "debugsession-audit"

	keyField = "ed25519-seed"

	// anchorPause is how long heads are collected before the last is written.
	anchorPause = 2 * time.Second
)

// LoadOrCreateKey returns the key that signs the links. The first replica to ask creates it. The client must not be a cached one.
func LoadOrCreateKey(ctx context.Context, c client.Client, namespace string) (ed25519.PrivateKey, error) {
	secret := &corev1.Secret{}
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: secretName}, secret)
	if apierrors.IsNotFound(err) {
		secret, err = createKey(ctx, c, namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s/%s with the signing key of the audit records: %w", namespace, secretName, err)
	}
	seed := secret.Data[keyField]
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("secret %s/%s: field %q must have %d bytes, but has %d; restore the Secret, or delete it to generate a new key: "+
			"verify what was signed before with the old public key", namespace, secretName, keyField, ed25519.SeedSize, len(seed))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// createKey returns the Secret as it is in the end, whichever replica was first.
func createKey(ctx context.Context, c client.Client, namespace string) (*corev1.Secret, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return nil, err
	}
	immutable := true
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secretName},
		Immutable:  &immutable,
		Data:       map[string][]byte{keyField: seed},
	}
	err := c.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		err = c.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	}
	return secret, err
}

// Anchor remembers where the chain of a store ends, in a ConfigMap: whoever may change the store alone cannot cut its end off unseen.
type Anchor struct {
	// Client must not be a cached one.
	Client    client.Client
	Namespace string
	// Store is the store's name. What is remembered of another store is no matter.
	Store  string
	Public ed25519.PublicKey

	mu     sync.Mutex
	latest *audit.Head
	news   chan struct{}
	once   sync.Once
}

func (a *Anchor) signal() chan struct{} {
	a.once.Do(func() { a.news = make(chan struct{}, 1) })
	return a.news
}

// Head implements auditstore.Anchor.
func (a *Anchor) Head(ctx context.Context) (*audit.Head, error) {
	found, err := a.read(ctx)
	if err != nil || found == nil {
		return nil, err
	}
	anchor, err := audit.ParseAnchor(found)
	if err != nil || anchor.Store != a.Store {
		return nil, err
	}
	return &anchor.Head, nil
}

func (a *Anchor) read(ctx context.Context) (*corev1.ConfigMap, error) {
	found := &corev1.ConfigMap{}
	err := a.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: audit.AnchorName}, found)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return found, err
}

// Remember implements auditstore.Anchor.
func (a *Anchor) Remember(head audit.Head) {
	a.mu.Lock()
	a.latest = &head
	a.mu.Unlock()
	select {
	case a.signal() <- struct{}{}:
	default:
	}
}

// NeedLeaderElection has every replica write what it has appended.
func (a *Anchor) NeedLeaderElection() bool { return false }

// Start writes what is to be remembered, some heads at a time, until the context ends; then the last.
func (a *Anchor) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			a.writeLast(context.WithoutCancel(ctx))
			return nil
		case <-a.signal():
		}
		a.writeLatest(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(anchorPause):
		}
	}
}

// writeLast is for an operator that ends.
func (a *Anchor) writeLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, anchorPause)
	defer cancel()
	a.writeLatest(ctx)
}

func (a *Anchor) writeLatest(ctx context.Context) {
	a.mu.Lock()
	head := a.latest
	a.mu.Unlock()
	if head == nil {
		return
	}
	if err := a.write(ctx, *head); err != nil {
		log.FromContext(ctx).Error(err, "cannot save the head of the audit chain, retrying", "sequence", head.Sequence)
		select {
		case a.signal() <- struct{}{}:
		default:
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.latest == head {
		a.latest = nil
	}
}

// write never goes back: another replica may have appended more.
func (a *Anchor) write(ctx context.Context, head audit.Head) error {
	found, err := a.read(ctx)
	if err != nil {
		return err
	}
	data := audit.Anchor{Store: a.Store, Public: a.Public, Head: head}.Data()
	if found == nil {
		return a.Client.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: audit.AnchorName}, Data: data})
	}
	if before, err := audit.ParseAnchor(found); err == nil && before.Store == a.Store && before.Head.Sequence >= head.Sequence {
		return nil
	}
	found.Data = data
	return a.Client.Update(ctx, found)
}
