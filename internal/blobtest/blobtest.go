// Package blobtest is an object store in memory of which tests break the calls.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// Memory is what is stored. Several buckets may be opened on it, as by one process after another.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

// Around is called for each read and write of an object and each listing, and does it, or not. What it returns is the answer. The key of a
// listing is its prefix.
type Around func(call, key string, do func() error) error

// The calls.
const (
	Read  = "read"
	Write = "write"
	List  = "list"
)

var (
	errNothing = errors.New("there is no such object")
	errThere   = errors.New("there is an object of that key")
)

// Open returns a bucket whose calls go through around.
func (m *Memory) Open(around Around) *blob.Bucket {
	return blob.NewBucket(&bucket{memory: m, around: around})
}

// Remove takes an object away.
func (m *Memory) Remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
}

// bucket has what the operator uses of a driver.
type bucket struct {
	driver.Bucket

	memory *Memory
	around Around
}

func (b *bucket) Close() error { return nil }

func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, errNothing):
		return gcerrors.NotFound
	case errors.Is(err, errThere):
		return gcerrors.FailedPrecondition
	default:
		return gcerrors.Unknown
	}
}

func (b *bucket) ListPaged(_ context.Context, options *driver.ListOptions) (*driver.ListPage, error) {
	page := &driver.ListPage{}
	err := b.around(List, options.Prefix, func() error {
		b.memory.mu.Lock()
		defer b.memory.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(b.memory.objects)) {
			if strings.HasPrefix(key, options.Prefix) {
				page.Objects = append(page.Objects, &driver.ListObject{Key: key})
			}
		}
		return nil
	})
	return page, err
}

func (b *bucket) NewRangeReader(_ context.Context, key string, _, _ int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	var text []byte
	err := b.around(Read, key, func() error {
		b.memory.mu.Lock()
		defer b.memory.mu.Unlock()
		var ok bool
		if text, ok = b.memory.objects[key]; !ok {
			return errNothing
		}
		return nil
	})
	return &reader{Reader: bytes.NewReader(text), size: int64(len(text))}, err
}

type reader struct {
	*bytes.Reader
	size int64
}

func (r *reader) Close() error                         { return nil }
func (r *reader) Attributes() *driver.ReaderAttributes { return &driver.ReaderAttributes{Size: r.size} }
func (r *reader) As(any) bool                          { return false }

func (b *bucket) NewTypedWriter(_ context.Context, key, _ string, options *driver.WriterOptions) (driver.Writer, error) {
	return &writer{bucket: b, key: key, once: options.IfNotExist}, nil
}

type writer struct {
	bytes.Buffer
	bucket *bucket
	key    string
	once   bool
}

func (w *writer) Upload(r io.Reader) error {
	_, err := w.ReadFrom(r)
	return err
}

// Close writes the object, whole or not at all.
func (w *writer) Close() error {
	return w.bucket.around(Write, w.key, func() error {
		m := w.bucket.memory
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, there := m.objects[w.key]; there && w.once {
			return errThere
		}
		if m.objects == nil {
			m.objects = map[string][]byte{}
		}
		m.objects[w.key] = bytes.Clone(w.Bytes())
		return nil
	})
}
