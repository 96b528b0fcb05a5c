package plan_test

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// What a session would come to is what it does come to: the same planner says both.
func TestRehearse(t *testing.T) {
	refusal := plan.Found(plan.Preview{Refusal: &plan.Refusal{Reason: v1alpha1.ReasonRefused, Message: "Pod Security says no"}})
	unreadable := plan.Unknown[plan.Preview](errOffline)
	two := plan.Found(fixture.Class(fixture.Approvals(2)))
	workload := func(s *v1alpha1.DebugSession) {
		s.Spec.Target = v1alpha1.Target{Workload: &v1alpha1.Workload{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}
	}
	for name, tc := range map[string]struct {
		session []fixture.SessionOption
		looks   []look
		phase   v1alpha1.Phase
		says    string
		fails   error
	}{
		"all would be well": {phase: v1alpha1.PhaseStarting},
		"of a copy":         {session: one(fixture.AsCopy()), phase: v1alpha1.PhaseStarting},
		"of a workload's pod": {
			session: one(workload),
			looks:   []look{candidates(*fixture.Pod())},
			phase:   v1alpha1.PhaseStarting,
		},
		"the API server would refuse it": {
			looks: []look{func(v *view) { v.preview = &refusal }},
			phase: v1alpha1.PhaseEnded,
			says:  "Pod Security says no",
		},
		"of a copy, refused": {
			session: one(fixture.AsCopy()),
			looks:   []look{func(v *view) { v.preview = &refusal }},
			phase:   v1alpha1.PhaseEnded,
			says:    "Pod Security says no",
		},
		"it would wait for approval": {
			looks: []look{func(v *view) { v.class = &two }},
			phase: v1alpha1.PhaseAwaitingApproval,
			says:  "0 of 2 approvals",
		},
		"there is no pod": {looks: []look{targetIs(absent())}, phase: v1alpha1.PhasePending, says: `there is no pod "web"`},
		"there is no such container": {
			session: one(func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "ap" }),
			phase:   v1alpha1.PhaseEnded,
			says:    `pod "web" has no container "ap"; its containers are app, proxy, setup; did you mean "app"?`,
		},
		"the API server does not say": {looks: []look{func(v *view) { v.preview = &unreadable }}, fails: errOffline},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(tc.session...)
			session.Finalizers = []string{v1alpha1.Finalizer}
			v := about(session, append([]look{target(fixture.Pod()), copyIs(plan.Absent[*corev1.Pod]())}, tc.looks...)...)
			before := session.DeepCopy()
			status, err := plan.Rehearse(plan.Snapshot{Session: session, Now: now}, func(s *plan.Snapshot, q plan.Question) error {
				v.answer(t, s, q)
				return nil
			})
			switch {
			case !errors.Is(err, tc.fails):
				t.Fatal(err)
			case err != nil:
				return
			}
			if status.Phase != tc.phase || !strings.Contains(status.Message(), tc.says) {
				t.Errorf("%s: %s, want %s: %s", status.Phase, status.Message(), tc.phase, tc.says)
			}
			if session.Status.Phase != before.Status.Phase || session.Status.Target != nil {
				t.Error("the session was changed")
			}
		})
	}
}

func TestRehearseAsksNoMoreThanItMay(t *testing.T) {
	enough := errors.New("enough")
	session := fixture.Session()
	v := about(session, targetIs(absent()))
	_, err := plan.Rehearse(plan.Snapshot{Session: session, Now: now}, func(s *plan.Snapshot, q plan.Question) error {
		if _, asked := q.(plan.ReadTarget); asked {
			return enough
		}
		v.answer(t, s, q)
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}
