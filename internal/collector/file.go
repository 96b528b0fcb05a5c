package collector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/retry"
)

const (
	// partBytes is how large the parts are: what is in memory of a file.
	partBytes = 1 << 20

	// storeTries is how often a part is written, and storeTimeout how long a try may take.
	storeTries   = 4
	storeTimeout = 30 * time.Second
)

var (
	errTooLarge = errors.New("it is too large")
	errChanged  = errors.New("it is not what was read of it before")
)

// storeError is that a part could not be stored.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

// file stores what is written to it, in parts that are created and never overwritten. A part that is there is one of an earlier try: of this
// operator or of one before it, and must be the same.
type file struct {
	ctx    context.Context
	store  *auditstore.Store
	key    string
	most   int64
	parts  int32
	bytes  int64
	sum    hash.Hash
	buffer []byte
}

func newFile(ctx context.Context, store *auditstore.Store, key string, most int64) *file {
	return &file{ctx: ctx, store: store, key: key, most: most, sum: sha256.New()}
}

// Write takes as much as there may be, and fails at what is more.
func (f *file) Write(p []byte) (int, error) {
	if int64(len(p)) > f.most-f.bytes {
		return 0, errTooLarge
	}
	f.bytes += int64(len(p))
	f.sum.Write(p)
	taken := len(p)
	for len(p) > 0 {
		n := min(len(p), partBytes-len(f.buffer))
		f.buffer, p = append(f.buffer, p[:n]...), p[n:]
		if len(f.buffer) == partBytes {
			if err := f.flush(); err != nil {
				return 0, err
			}
		}
	}
	return taken, nil
}

// stored is how many bytes the store may have of it.
func (f *file) stored() int64 { return f.bytes - int64(len(f.buffer)) }

// finish stores the rest. An empty file has one part. Parts that an earlier try has stored beyond its end are not to be taken for it.
func (f *file) finish() error {
	if len(f.buffer) > 0 || f.parts == 0 {
		if err := f.flush(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(f.ctx, storeTimeout)
	defer cancel()
	keys, err := f.store.Keys(ctx, f.key)
	if err != nil {
		return &storeError{err}
	}
	if len(keys) != int(f.parts) {
		return &storeError{fmt.Errorf("%w: %d parts of it are in the store, and it has %d", errChanged, len(keys), f.parts)}
	}
	return nil
}

func (f *file) flush() error {
	key := audit.ArtifactPart(f.key, f.parts+1)
	var err error
	for try := range storeTries {
		if err = f.create(key); err == nil || errors.Is(err, errChanged) || f.ctx.Err() != nil {
			break
		}
		retry.Wait(f.ctx, try)
	}
	if err != nil {
		return &storeError{err}
	}
	f.parts++
	f.buffer = f.buffer[:0]
	return nil
}

func (f *file) create(key string) error {
	ctx, cancel := context.WithTimeout(f.ctx, storeTimeout)
	defer cancel()
	err := f.store.Put(ctx, key, f.buffer)
	if f.store.IsOther(err) {
		return errChanged
	}
	return err
}

// row says that it was kept.
func (f *file) row() v1alpha1.ArtifactStatus {
	return v1alpha1.ArtifactStatus{State: v1alpha1.ArtifactKept, Key: f.key, Parts: f.parts, Bytes: f.bytes, SHA256: hex.EncodeToString(f.sum.Sum(nil))}
}
