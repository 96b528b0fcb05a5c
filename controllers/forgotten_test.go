package controllers

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// unwatched notes whose watch is released.
type unwatched struct{ released []types.NamespacedName }

func (u *unwatched) Get(types.NamespacedName, types.NamespacedName) (*corev1.Pod, bool, error) {
	return nil, false, nil
}
func (u *unwatched) Release(session types.NamespacedName) { u.released = append(u.released, session) }

// Sessions come and go for as long as the operator runs. Whatever map is added to the reconciler is looked at here.
func TestNothingIsRememberedOfASessionThatIsGone(t *testing.T) {
	pods := &unwatched{}
	r := &DebugSessionReconciler{Client: served(t), Pods: pods}
	session := fixture.Session()
	key := client.ObjectKeyFromObject(session)
	r.states.wrote(session)
	r.states.setAccess(session, plan.AccessGranted)

	before := entries(reflect.ValueOf(r).Elem())
	if before < 1 {
		t.Fatalf("sees %d entries of what is remembered", before)
	}
	if found, err := r.read(t.Context(), key); found != nil || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	if after := entries(reflect.ValueOf(r).Elem()); after != 0 {
		t.Errorf("%d of %d entries are left", after, before)
	}
	if len(pods.released) != 1 || pods.released[0] != key {
		t.Errorf("released %v", pods.released)
	}
}

// entries counts the entries of all maps of the reconciler's own.
func entries(of reflect.Value) int {
	switch of.Kind() {
	case reflect.Map:
		return of.Len()
	case reflect.Struct:
		count := 0
		for i := range of.NumField() {
			if field := of.Field(i); field.Kind() == reflect.Map || field.Type().PkgPath() == reflect.TypeFor[DebugSessionReconciler]().PkgPath() {
				count += entries(field)
			}
		}
		return count
	default:
		return 0
	}
}
