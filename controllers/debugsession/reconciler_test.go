package debugsession

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// unwatched notes whose watch is released, and which pods are expected.
type unwatched struct {
	released []types.NamespacedName
	hurried  []types.NamespacedName
	expected map[types.NamespacedName]types.NamespacedName
}

func (u *unwatched) Get(types.NamespacedName, types.NamespacedName) (*corev1.Pod, bool, error) {
	return nil, false, nil
}
func (u *unwatched) List(types.NamespacedName, string, string) ([]corev1.Pod, bool, error) {
	return nil, false, nil
}
func (u *unwatched) Hurry(session types.NamespacedName)                        { u.hurried = append(u.hurried, session) }
func (u *unwatched) Expect(pods map[types.NamespacedName]types.NamespacedName) { u.expected = pods }
func (u *unwatched) Release(session types.NamespacedName)                      { u.released = append(u.released, session) }

// Sessions come and go for as long as the operator runs. Whatever map is added to the reconciler is looked at here.
func TestNothingIsRememberedOfASessionThatIsGone(t *testing.T) {
	pods := &unwatched{}
	r := &Reconciler{Sessions: served(t), Pods: pods}
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
			if field := of.Field(i); field.Kind() == reflect.Map || field.Type().PkgPath() == reflect.TypeFor[Reconciler]().PkgPath() {
				count += entries(field)
			}
		}
		return count
	default:
		return 0
	}
}

func TestRequeue(t *testing.T) {
	now := time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)
	failed := errors.New("it failed")
	for name, tc := range map[string]struct {
		plan   plan.Plan
		result ctrl.Result
		err    error
		queued time.Duration // 0: not by this pass
	}{
		"never":                  {plan: plan.Plan{}},
		"at a time":              {plan: plan.Plan{WakeAt: now.Add(time.Minute)}, result: ctrl.Result{RequeueAfter: time.Minute}},
		"now":                    {plan: plan.Plan{WakeAt: now}, result: ctrl.Result{RequeueAfter: time.Millisecond}},
		"at a time that is over": {plan: plan.Plan{WakeAt: now.Add(-time.Hour)}, result: ctrl.Result{RequeueAfter: time.Millisecond}},
		"again":                  {plan: plan.Plan{Retry: failed}, err: failed},
		"again, and at a time":   {plan: plan.Plan{Retry: failed, WakeAt: now.Add(time.Minute)}, err: failed, queued: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			clock := testclock.NewFakeClock(now)
			queue := workqueue.NewTypedRateLimitingQueueWithConfig(backoff(),
				workqueue.TypedRateLimitingQueueConfig[ctrl.Request]{Clock: clock})
			defer queue.ShutDown()
			r := &Reconciler{Clock: clock, Enqueuer: &Enqueuer{}}
			if err := r.Enqueuer.source().Start(context.Background(), queue); err != nil {
				t.Fatal(err)
			}
			session := types.NamespacedName{Namespace: "shop", Name: "hang"}
			result, err := r.requeue(session, tc.plan)
			if result != tc.result || !errors.Is(err, tc.err) {
				t.Errorf("came to %v, %v; want %v, %v", result, err, tc.result, tc.err)
			}
			if tc.queued == 0 {
				clock.Step(time.Hour)
				if queue.Len() > 0 {
					t.Error("queued")
				}
				return
			}
			clock.Step(tc.queued - time.Second)
			if queue.Len() > 0 {
				t.Fatal("queued too early")
			}
			clock.Step(time.Second)
			if item, _ := queue.Get(); item.NamespacedName != session {
				t.Errorf("queued %v", item)
			}
		})
	}
}
