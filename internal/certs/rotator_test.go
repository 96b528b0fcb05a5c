package certs

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var errReadOnly = errors.New("no leave to write")

// readOnly is a cluster with one Secret and no configurations, in which nothing can be written.
type readOnly struct {
	client.Client
	data map[string][]byte
}

func (c readOnly) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	secret.Data = maps.Clone(c.data)
	return nil
}

func (readOnly) Update(context.Context, client.Object, ...client.UpdateOption) error {
	return errReadOnly
}

func TestWhatCannotBeRenewedIsServedWhileItIsValid(t *testing.T) {
	r := &Rotator{Namespace: "system", ExtraNames: []string{"localhost"}}
	data := map[string][]byte{}
	if _, err := newAuthority(r.names()).renew(data, now); err != nil {
		t.Fatal(err)
	}
	certificate, err := pair(data)
	if err != nil {
		t.Fatal(err)
	}
	end := certificate.Leaf.NotAfter
	for at, served := range map[time.Time]bool{end.Add(-24 * time.Hour): true, end.Add(time.Hour): false} {
		r := &Rotator{Client: readOnly{data: data}, Namespace: "system", ExtraNames: r.ExtraNames, Clock: testclock.NewFakePassiveClock(at)}
		if _, err := r.Reconcile(t.Context(), ctrl.Request{}); !errors.Is(err, errReadOnly) {
			t.Errorf("at %s: %v", at, err)
		}
		if have := r.Expiry().Equal(end); have != served {
			t.Errorf("at %s: served %t, want %t", at, have, served)
		}
	}
}
