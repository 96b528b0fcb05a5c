package debugsession

import (
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// What a sink is told while a pass is at work comes along with the session when its finalizer is removed. The pass does not take it
// back: it would be told again.
func TestReportLeavesNotificationsAlone(t *testing.T) {
	session := fixture.Session()
	session.Status.Notifications = []v1alpha1.SinkNotifications{{Sink: "approvers", Sent: []string{"Active"}}}
	decided := plan.Plan{Status: *session.Status.DeepCopy()}
	decided.Status.Attach = "kubectl attach"
	told := []v1alpha1.SinkNotifications{{Sink: "approvers", Sent: []string{"Active", "Ended"}}}
	session.Status.Notifications = told
	r := &Reconciler{Client: served(t, session), Clock: testingclock.NewFakePassiveClock(time.Unix(0, 0))}
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(session), session); err != nil {
		t.Fatal(err)
	}
	if err := r.writeStatus(t.Context(), session, session.Status, decided, optimisticLockPatch); err != nil {
		t.Fatal(err)
	}
	now := &v1alpha1.DebugSession{}
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(session), now); err != nil {
		t.Fatal(err)
	}
	if got := now.Status.Notifications; len(got) != 1 || len(got[0].Sent) != 2 {
		t.Errorf("sinks were told %v, want %v", got, told)
	}
	if now.Status.Attach == "" {
		t.Error("the plan was not written")
	}
}
