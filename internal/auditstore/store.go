// Package auditstore keeps audit records in an object store, and appends to the chain that shows whether they were tampered with.
//
// Nothing is ever overwritten or deleted there: each object is written once, on the condition that there is none. That is what lets
// several replicas append to one chain, and what lets a store forbid changes (object lock, retention).
package auditstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://
	"gocloud.dev/gcerrors"
)

// maxObject is the largest object that is read: nobody who may write to the store makes the operator or an auditor read without end.
const maxObject = 16 << 20

// probeKey is the object by which a store is tried.
const probeKey = "conditional-writes.txt"

// addresses are what an error may say of a URL, with what is secret in it.
var addresses = regexp.MustCompile(`[a-z0-9]+://\S*\s*`)

// queries are URLs with what an error says of them that may be secret.
var queries = regexp.MustCompile(`([a-z0-9]+://[^\s"?]*)\?[^\s"]*`)

// unfinished are the files that a folder has of objects whose writer was killed.
var unfinished = regexp.MustCompile(`\.(json|cast|txt|bin)\.[0-9a-f]+\.tmp$`)

// ErrOverwrites is that a store writes over what is there although it is told not to.
var ErrOverwrites = errors.New("the store does not support conditional writes: it overwrote an object despite If-None-Match; use another store")

// errExists is that an object was not created because there is one, where the store has said only that it must not be written.
var errExists = errors.New("there is an object of that key")

// Store is an object store.
type Store struct {
	bucket *blob.Bucket
	name   string
	folder bool
}

// Open returns the store of a URL: file:///folder, and those of package cloud. Nothing is
// asked of it yet.
func Open(ctx context.Context, address string) (*Store, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the audit store address is not a URL such as s3://bucket?region=eu-central-1 or file:///var/lib/audit")
	}
	if at.Scheme == "file" {
		query := at.Query()
		for option, value := range map[string]string{
			"create_dir":    "true",
			"no_tmp_dir":    "true",              // the root filesystem is read-only, and a file is not moved between filesystems
			"metadata":      "skip",              // no second file beside each
			"dir_file_mode": strconv.Itoa(0o700), // it is read as a decimal number
		} {
			if !query.Has(option) {
				query.Set(option, value)
			}
		}
		at.RawQuery = query.Encode()
	}
	bucket, err := blob.OpenBucket(ctx, at.String())
	if err != nil {
		return nil, fmt.Errorf("cannot open audit store %s: %s", nameOf(at), addresses.ReplaceAllString(err.Error(), "its address: "))
	}
	return &Store{bucket: bucket, name: nameOf(at), folder: at.Scheme == "file"}, nil
}

// New returns a store of a bucket that was opened already.
func New(bucket *blob.Bucket, name string) *Store { return &Store{bucket: bucket, name: name} }

// nameOf is a URL without what may be secret in it.
func nameOf(at *url.URL) string {
	plain := url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path}
	if prefix := at.Query().Get("prefix"); prefix != "" {
		plain.RawQuery = url.Values{"prefix": {prefix}}.Encode()
	}
	return plain.String()
}

// Name is the store's URL without options.
func (s *Store) Name() string { return s.name }

// Close lets go of it.
func (s *Store) Close() error { return s.bucket.Close() }

// Create writes an object. It fails with an error that Exists knows if there is one of that key.
func (s *Store) Create(ctx context.Context, key string, text []byte) error {
	err := withoutQueries(s.bucket.WriteAll(ctx, key, text, &blob.WriterOptions{IfNotExist: true, ContentType: contentTypeOf(key)}))
	if !refused(err) {
		return err
	}
	// Azure may look at the right to overwrite, or at a policy that keeps blobs as they are, before it looks at the condition.
	if _, unread := s.Read(ctx, key); unread != nil {
		return err
	}
	return fmt.Errorf("%w: %w", errExists, err)
}

// errOther is that an object is there already, and is another.
var errOther = errors.New("already holds other content")

// Put writes an object, unless the very same is there: the answer to an earlier try was lost. It fails with an error that IsOther knows if
// another is.
func (s *Store) Put(ctx context.Context, key string, text []byte) error {
	err := s.Create(ctx, key, text)
	if !s.Exists(err) {
		return err
	}
	there, err := s.Read(ctx, key)
	if err == nil && !bytes.Equal(there, text) {
		err = fmt.Errorf("%s %w", key, errOther)
	}
	return err
}

// IsOther reports whether an object was not written because another has its key.
func (*Store) IsOther(err error) bool { return errors.Is(err, errOther) }

// refused reports whether a store has answered that an object must not be written, which may be for there is one.
func refused(err error) bool {
	var ofAzure *azcore.ResponseError
	if errors.As(err, &ofAzure) {
		return ofAzure.StatusCode == http.StatusForbidden || ofAzure.StatusCode == http.StatusConflict
	}
	return gcerrors.Code(err) == gcerrors.PermissionDenied
}

func contentTypeOf(key string) string {
	switch path.Ext(key) {
	case ".cast":
		return "application/x-asciicast"
	case ".bin":
		return "application/octet-stream"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return "application/json"
	}
}

// publicError is an error whose text has no queries of URLs: Azure's have a shared access signature, and who may read a session is told why
// its record could not be stored.
type publicError struct{ error }

func withoutQueries(err error) error {
	if err == nil {
		return nil
	}
	return publicError{err}
}

func (e publicError) Error() string { return queries.ReplaceAllString(e.error.Error(), "$1") }
func (e publicError) Unwrap() error { return e.error }

// Exists reports whether an object was not created because there is one.
func (s *Store) Exists(err error) bool {
	return errors.Is(err, errExists) || code(err) == gcerrors.FailedPrecondition
}

// NotFound reports whether an object was not read because there is none.
func (s *Store) NotFound(err error) bool { return code(err) == gcerrors.NotFound }

// code says what an error is. Of S3 its own code tells: the library takes each of its errors for NotFound whose text has 301 in it, as a
// request's ID may. It also takes a store whose name is not resolved for an object that is not there.
func code(err error) gcerrors.ErrorCode {
	var unresolved *net.DNSError
	if errors.As(err, &unresolved) {
		return gcerrors.Unknown
	}
	var ofS3 interface{ ErrorCode() string }
	if !errors.As(err, &ofS3) {
		return gcerrors.Code(err)
	}
	switch ofS3.ErrorCode() {
	case "NoSuchBucket", "NoSuchKey", "NotFound":
		return gcerrors.NotFound
	case "PreconditionFailed":
		return gcerrors.FailedPrecondition
	default:
		return gcerrors.Unknown
	}
}

// Read returns an object. It fails with an error that NotFound knows if there is none.
func (s *Store) Read(ctx context.Context, key string) (text []byte, err error) {
	reader, err := s.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, withoutQueries(err)
	}
	defer func() { err = withoutQueries(errors.Join(err, reader.Close())) }()
	text, err = io.ReadAll(io.LimitReader(reader, maxObject+1))
	if err == nil && len(text) > maxObject {
		err = fmt.Errorf("%s is larger than %d bytes, the maximum for a record", key, maxObject)
	}
	return text, err
}

// Keys returns the keys that begin so, in order.
func (s *Store) Keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	list := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			slices.Sort(keys)
			return keys, nil
		}
		if err != nil {
			return nil, withoutQueries(err)
		}
		if !object.IsDir && (!s.folder || !unfinished.MatchString(object.Key)) {
			keys = append(keys, object.Key)
		}
	}
}

// probe fails if the store cannot be written, or does not do conditional writes.
func (s *Store) probe(ctx context.Context) error {
	text := []byte("The operator has tried by this object that the store refuses to overwrite one.\n")
	if err := s.Create(ctx, probeKey, text); err != nil && !s.Exists(err) {
		return err
	}
	switch err := s.Create(ctx, probeKey, text); {
	case err == nil:
		return ErrOverwrites
	case s.Exists(err):
		return nil
	default:
		return err
	}
}
