package helmhook

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// wrong is what no waiting helps though the API server has not said it.
type wrong struct{ error }

func (w wrong) Unwrap() error { return w.error }

// hopeless reports whether another try would fail in the same way. A service account's rights are known to every API server a moment
// after they were granted, so one that is forbidden something tries again; a webhook's refusal is forbidden or invalid by its rules.
func hopeless(err error) bool {
	return errors.As(err, &wrong{}) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}
