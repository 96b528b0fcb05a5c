package debugsession

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"debugsession.dev/operator/api/v1alpha1"
)

func phased(name string, phase v1alpha1.Phase) *v1alpha1.DebugSession {
	session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, ResourceVersion: name}}
	session.Status.Phase = phase
	return session
}

// What has ended stands last in the queue, also behind what was there when the operator started, however early it came.
func TestWhatHasEndedStandsLast(t *testing.T) {
	queue := priorityqueue.New[ctrl.Request]("test")
	defer queue.ShutDown()
	was, ended, runs := phased("ended", v1alpha1.PhaseEnding), phased("ended", v1alpha1.PhaseEnded), phased("runs", v1alpha1.PhaseActive)
	lowPriority().Update(t.Context(), event.UpdateEvent{ObjectOld: was, ObjectNew: ended}, queue)
	queue.AddWithOpts(priorityqueue.AddOpts{Priority: new(-100)},
		ctrl.Request{NamespacedName: client.ObjectKeyFromObject(phased("found", v1alpha1.PhaseActive))})
	queue.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(runs)})
	for _, want := range []string{"runs", "found", "ended"} {
		if got, _, _ := queue.GetWithPriority(); got.Name != want {
			t.Errorf("came to %s; want %s", got.Name, want)
		}
	}
}

// What expired while no operator ran comes before what runs, whichever was listed first.
func TestWhatIsOverdueAtTheStartStandsFirst(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	expires := func(name string, at time.Duration) *v1alpha1.DebugSession {
		session := phased(name, v1alpha1.PhaseActive)
		session.Status.ExpiresAt = &metav1.Time{Time: now.Add(at)}
		return session
	}
	asked, gone := expires("asked", time.Hour), expires("gone", time.Hour)
	asked.Spec.End = true
	gone.DeletionTimestamp = &metav1.Time{Time: now}
	for _, late := range []*v1alpha1.DebugSession{expires("expired", 0), asked, gone, phased("ending", v1alpha1.PhaseEnding)} {
		queue := priorityqueue.New[ctrl.Request]("test")
		for _, session := range []*v1alpha1.DebugSession{expires("runs", time.Second), phased("new", ""), phased("ended", v1alpha1.PhaseEnded), late} {
			queue.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(session)})
			overdueFirst(testclock.NewFakePassiveClock(now)).Create(t.Context(), event.CreateEvent{Object: session, IsInInitialList: true}, queue)
		}
		if got, priority, _ := queue.GetWithPriority(); got.Name != late.Name || priority != priorityOverdue {
			t.Errorf("came to %s, of priority %d; want %s", got.Name, priority, late.Name)
		}
		if got, priority, _ := queue.GetWithPriority(); got.Name != "runs" || priority != handler.LowPriority {
			t.Errorf("came to %s then, of priority %d", got.Name, priority)
		}
		queue.ShutDown()
	}
}

func TestEndedPredicate(t *testing.T) {
	gone := phased("gone", v1alpha1.PhaseEnded)
	gone.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	for _, tc := range []struct {
		session *v1alpha1.DebugSession
		want    bool
	}{
		{phased("ended", v1alpha1.PhaseEnded), true},
		{phased("ending", v1alpha1.PhaseEnding), false},
		{phased("new", ""), false},
		{gone, false},
	} {
		if got := endedPredicate.Update(event.UpdateEvent{ObjectOld: tc.session, ObjectNew: tc.session}); got != tc.want {
			t.Errorf("%s: %t", tc.session.Name, got)
		}
	}
}
