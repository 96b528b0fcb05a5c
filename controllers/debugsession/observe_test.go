package debugsession

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// askedLater notes whether a session was said to be able to wait.
type askedLater struct {
	unwatched
	later bool
}

func (a *askedLater) GetLater(types.NamespacedName, types.NamespacedName) (*corev1.Pod, bool, error) {
	a.later = true
	return nil, false, nil
}

// After a restart those that only run wait for those that start or end.
func TestOnlyASessionThatRunsOnCanWait(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		phase  v1alpha1.Phase
		change func(*v1alpha1.DebugSession)
		later  bool
	}{
		"it runs":                {v1alpha1.PhaseActive, func(*v1alpha1.DebugSession) {}, true},
		"its time is up":         {v1alpha1.PhaseActive, func(s *v1alpha1.DebugSession) { s.Status.ExpiresAt = new(metav1.NewTime(now)) }, false},
		"its end is asked for":   {v1alpha1.PhaseActive, func(s *v1alpha1.DebugSession) { s.Spec.End = true }, false},
		"it is being deleted":    {v1alpha1.PhaseActive, func(s *v1alpha1.DebugSession) { s.DeletionTimestamp = new(metav1.NewTime(now)) }, false},
		"it is ending":           {v1alpha1.PhaseEnding, func(*v1alpha1.DebugSession) {}, false},
		"it starts":              {v1alpha1.PhaseStarting, func(*v1alpha1.DebugSession) {}, false},
		"it waits for its pod":   {v1alpha1.PhasePending, func(*v1alpha1.DebugSession) {}, false},
		"nothing was decided":    {"", func(*v1alpha1.DebugSession) {}, false},
		"it waits for approvals": {v1alpha1.PhaseAwaitingApproval, func(*v1alpha1.DebugSession) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session()
			session.Status.Phase = test.phase
			session.Status.ExpiresAt = new(metav1.NewTime(now.Add(time.Hour)))
			test.change(session)
			pods := &askedLater{}
			r := &Reconciler{Pods: pods, Clock: clock.RealClock{}}
			r.observeTarget(t.Context(), session, plan.ReadTarget{Name: "web"})
			if pods.later != test.later {
				t.Errorf("can wait: %v, want %v", pods.later, test.later)
			}
		})
	}
}
