package plan_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// While approvals cannot be read nothing is made and no access is given, and yet it is seen when a session is over.
func TestApprovalsOfARunningSessionCannotBeRead(t *testing.T) {
	session, _ := active(t)
	session.Status.Class.ApprovalsRequired = 1
	starting := admitted(t, fixture.Session(), fixture.Pod())
	starting.Status.Class.ApprovalsRequired = 1
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		pod     *corev1.Pod
		want    want
	}{
		"it runs on": {
			session,
			debugged(session, fixture.Running(now)),
			want{phase: v1alpha1.PhaseActive, retries: true, warns: "Unreadable"},
		},
		"it is yet to be made": {starting, fixture.Pod(), want{phase: v1alpha1.PhaseStarting, retries: true, warns: "Unreadable"}},
		"it runs, and waits for that": {
			starting,
			debugged(session, fixture.Running(now)),
			want{phase: v1alpha1.PhaseStarting, retries: true, warns: "Unreadable"},
		},
		"the debugger has ended": {session, debugged(session, fixture.Exited(now, 0, "Completed", "")),
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted, retries: true, warns: "Unreadable"}},
		"the target has ended": {session, debugged(session, fixture.Running(now), fixture.Finished(corev1.PodFailed, "Evicted", "")),
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone, retries: true, warns: "Unreadable"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := about(tc.session, target(tc.pod), accessIs(plan.AccessUnsure))
			v.approvals = new(plan.Unknown[[]approval.Approval](errOffline))
			tc.want.check(t, pass(t, v))
		})
	}
}
