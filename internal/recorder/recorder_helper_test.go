package recorder

import (
	"crypto/ed25519"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"k8s.io/utils/clock"

	"debugsession.dev/operator/internal/auditstore"
)

// storing is a recorder, the store in a bucket that it writes to, and the key by which that is verified.
func storing(t *testing.T, bucket *blob.Bucket) (*Recorder, *auditstore.Store, ed25519.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	store := auditstore.New(bucket, "mem://")
	r := &Recorder{Chain: auditstore.NewChain(store, private, nil), Metrics: NewMetrics(), Clock: clock.RealClock{}}
	r.Prepare()
	return r, store, public
}

// deadBucket is one that answers nothing but errors.
func deadBucket(t *testing.T) *blob.Bucket {
	t.Helper()
	bucket := memblob.OpenBucket(nil)
	if err := bucket.Close(); err != nil {
		t.Fatal(err)
	}
	return bucket
}
