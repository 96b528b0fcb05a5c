package debugsession

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"

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
