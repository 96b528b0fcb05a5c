package terminal

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestOnceGranted(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods/attach"}, "web", errors.New("no role"))
	lost := errors.New("connection reset by peer")
	for name, test := range map[string]struct {
		refusals int
		then     error
		want     error
		within   time.Duration
	}{
		"known at once":           {0, nil, nil, 0},
		"known a moment later":    {2, nil, nil, 100 * time.Millisecond},
		"lost, which is no right": {1, lost, lost, 100 * time.Millisecond},
		"never":                   {1000, nil, forbidden, grantLag + mostPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tried := time.Now(), 0
				err := onceGranted(t.Context(), func() error {
					tried++
					if tried <= test.refusals {
						return forbidden
					}
					return test.then
				})
				if !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
				if took := time.Since(began); took > test.within {
					t.Errorf("took %s, want at most %s", took, test.within)
				}
			})
		})
	}
}
