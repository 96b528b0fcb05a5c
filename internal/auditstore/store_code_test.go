package auditstore

import (
	"errors"
	"fmt"
	"testing"
)

// errorOfS3 is an error as its SDK has them.
type errorOfS3 struct{ code, text string }

func (e errorOfS3) Error() string     { return e.text }
func (e errorOfS3) ErrorCode() string { return e.code }

// What an error of S3 is does not depend on the numbers in its text.
func TestErrorsOfS3(t *testing.T) {
	store := &Store{}
	for _, id := range []string{"HKTPD6DQR4301BFF", "HKTPD6DQR4BFF"} {
		for code, want := range map[string]struct{ exists, notFound bool }{
			"PreconditionFailed": {exists: true},
			"NoSuchKey":          {notFound: true},
			"NoSuchBucket":       {notFound: true},
			"InternalError":      {},
			"SlowDown":           {},
		} {
			err := fmt.Errorf("writing a: %w", errorOfS3{code, "https response error, RequestID: " + id})
			if store.Exists(err) != want.exists || store.NotFound(err) != want.notFound {
				t.Errorf("%s, %s: exists %v, not found %v", code, id, store.Exists(err), store.NotFound(err))
			}
		}
	}
	if err := errors.New("301"); store.Exists(err) || store.NotFound(err) {
		t.Error("an error that is none of a store's says something")
	}
}
