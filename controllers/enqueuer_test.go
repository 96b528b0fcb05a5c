package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"

	"debugsession.dev/operator/internal/plan"
)

func TestWake(t *testing.T) {
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
			queue := workqueue.NewTypedRateLimitingQueueWithConfig(retries(),
				workqueue.TypedRateLimitingQueueConfig[ctrl.Request]{Clock: clock})
			defer queue.ShutDown()
			r := &DebugSessionReconciler{Clock: clock, Enqueuer: &Enqueuer{}}
			if err := r.Enqueuer.source().Start(context.Background(), queue); err != nil {
				t.Fatal(err)
			}
			session := types.NamespacedName{Namespace: "shop", Name: "hang"}
			result, err := r.wake(session, tc.plan)
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

// Before the controller has started there is no queue: it will look at every session then.
func TestWakeBeforeTheStart(t *testing.T) {
	(&Enqueuer{}).Enqueue(types.NamespacedName{Namespace: "shop", Name: "hang"})
}
