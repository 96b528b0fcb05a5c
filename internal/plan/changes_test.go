package plan_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// Who changed the session is written down once, the last few at most, until its end is written down.
func TestChangesAreRecorded(t *testing.T) {
	session := fixture.Session()
	by := func(i int) *v1alpha1.ChangeStatus {
		return &v1alpha1.ChangeStatus{By: fmt.Sprint("user-", i), At: metav1.NewTime(fixture.Created.Add(time.Duration(i) * time.Minute))}
	}
	for i := range 20 {
		for range 2 {
			session.Status = plan.Decide(plan.Snapshot{Session: session, Now: fixture.Created, Change: by(i),
				Trusted: plan.Unknown[*plan.Refusal](fmt.Errorf("no answer"))}).Status
		}
	}
	if got := session.Status.Changes; len(got) != 16 || got[0].By != "user-4" || got[15].By != "user-19" {
		t.Errorf("%+v", got)
	}
	for what, over := range map[string]func(*v1alpha1.DebugSessionStatus){
		"has ended": func(s *v1alpha1.DebugSessionStatus) { s.Phase = v1alpha1.PhaseEnded },
		"waits for its record": func(s *v1alpha1.DebugSessionStatus) {
			s.Phase, s.EndedAt = v1alpha1.PhaseEnding, &metav1.Time{Time: fixture.Created}
		},
	} {
		late := session.DeepCopy()
		over(&late.Status)
		if got := plan.Decide(plan.Snapshot{Session: late, Now: fixture.Created, Change: by(20), AuditStore: true,
			Record: plan.Found(plan.RecordState{Known: true})}).Status.Changes; len(got) > 0 &&
			got[len(got)-1].By != "user-19" {
			t.Errorf("%s: %+v", what, got)
		}
	}
}
