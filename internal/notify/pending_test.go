package notify

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// A session is not condensed before the sinks have been told, be they served already or not.
func TestPending(t *testing.T) {
	ended := metav1.NewTime(fixture.Created.Add(time.Minute))
	for name, tc := range map[string]struct {
		spec    v1alpha1.DebugSinkSpec
		since   time.Time
		told    []string
		now     time.Time
		pending bool
	}{
		"not told":                  {v1alpha1.DebugSinkSpec{}, fixture.Created, nil, ended.Time, true},
		"told":                      {v1alpha1.DebugSinkSpec{}, fixture.Created, []string{string(v1alpha1.NotifyEnded)}, ended.Time, false},
		"of a sink that came later": {v1alpha1.DebugSinkSpec{}, ended.Add(time.Second), nil, ended.Time, false},
		"of other types":            {v1alpha1.DebugSinkSpec{Types: []v1alpha1.NotificationType{v1alpha1.NotifyDenied}}, fixture.Created, nil, ended.Time, false},
		"of other classes":          {v1alpha1.DebugSinkSpec{Classes: []string{"other"}}, fixture.Created, nil, ended.Time, false},
		"too old to be told":        {v1alpha1.DebugSinkSpec{}, fixture.Created, nil, ended.Add(maxAge + time.Minute), false},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Notifier{Clock: testclock.NewFakePassiveClock(tc.now)}
			sink := &v1alpha1.DebugSink{ObjectMeta: metav1.ObjectMeta{Name: "chat", CreationTimestamp: metav1.NewTime(tc.since)}, Spec: tc.spec}
			session := fixture.Session()
			session.Status = v1alpha1.DebugSessionStatus{Phase: v1alpha1.PhaseEnded, EndedAt: &ended}
			if tc.told != nil {
				session.Status.Notifications = []v1alpha1.SinkNotifications{{Sink: sink.Name, Sent: tc.told}}
			}
			w := selecting(n, sink)
			for served, workers := range map[bool]*map[string]*worker{false: &n.awaited, true: &n.workers} {
				*workers = map[string]*worker{sink.Name: w}
				if got := n.Pending(session); got != tc.pending {
					t.Errorf("served %t: pending %t", served, got)
				}
				*workers = nil
			}
			if n.Pending(session) {
				t.Error("pending without a sink")
			}
		})
	}
}
