package plan_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func TestAccessIsRecordedBeforeItIsGiven(t *testing.T) {
	sre := []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: "sre"}}
	for name, tc := range map[string]struct {
		access *v1alpha1.Access
		want   []v1alpha1.Subject
	}{
		"the requester": {nil, []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: fixture.Requester}}},
		"who is named":  {&v1alpha1.Access{Subjects: sre}, sre},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(func(s *v1alpha1.DebugSession) { s.Spec.Access = tc.access })
			session.Finalizers = []string{v1alpha1.Finalizer}
			class := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Access = &v1alpha1.AccessPolicy{Subjects: sre} })
			v := about(session, target(fixture.Pod()))
			v.class = new(plan.Found(class))
			session = written(session, pass(t, v))
			if got := session.Status.Access; got == nil || got.Name != debugpod.AccessName(session.UID) ||
				!slices.Equal(got.Subjects, tc.want) {
				t.Fatalf("recorded %+v, want %v", got, tc.want)
			}
			p := pass(t, about(session, target(debugged(session, fixture.Running(now)))))
			want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}.check(t, p)
			if give := p.Actions[0].(plan.GrantAccess); give.Name != session.Status.Access.Name || give.Pod != "web" ||
				!slices.Equal(give.Subjects, tc.want) {
				t.Errorf("gives %+v", give)
			}
		})
	}
}

// Admission has asked already whether the requester may use the class. Once that is some time ago, or approvals were waited for, it is
// asked again.
func TestThePermissionIsAskedAgainOnceItMayHaveChanged(t *testing.T) {
	may := plan.Found(false)
	for name, tc := range map[string]struct {
		at    time.Time
		phase v1alpha1.Phase
	}{
		"just created":           {now, v1alpha1.PhaseStarting},
		"some time ago":          {after(10 * time.Second), v1alpha1.PhaseEnded},
		"by a clock that is off": {after(-time.Minute), v1alpha1.PhaseEnded},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session()
			session.Finalizers = []string{v1alpha1.Finalizer}
			v := about(session, target(fixture.Pod()), at(tc.at))
			v.mayUse = &may
			if p := pass(t, v); p.Status.Phase != tc.phase {
				t.Errorf("phase %s, want %s: %s", p.Status.Phase, tc.phase, said(p))
			}
		})
	}
}

// After a restart nothing is known of what was given. Until the session was Active giving it again is harmless; of one that was, or that is over,
// somebody may have taken it.
func TestAccessAfterARestart(t *testing.T) {
	session, pod := active(t)
	unsure := accessIs(plan.AccessUnsure)
	p := pass(t, about(session, target(pod), unsure))
	want{phase: v1alpha1.PhaseActive}.check(t, p)
	quiet(t, session, p)
	unwritten := session.DeepCopy()
	unwritten.Status.Phase = v1alpha1.PhaseStarting
	want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}.check(t, pass(t, about(unwritten, target(pod), unsure)))

	over := ending(t, session)
	want{phase: v1alpha1.PhaseEnding, does: "RevokeAccess StopDebugger"}.check(t, pass(t, about(over, target(pod), unsure)))
	want{phase: v1alpha1.PhaseEnding, does: "RevokeAccess"}.check(t, pass(t, about(over, targetIs(absent()), unsure)))
	want{phase: v1alpha1.PhaseEnded}.check(t, pass(t, about(over, targetIs(absent()), accessIs(plan.AccessRevoked))))
}

// What is known of a debugger that ended by itself is written with the session's end, not once more before it.
func TestTakingAccessWritesNothing(t *testing.T) {
	session, _ := active(t)
	session = ending(t, session)
	exited := target(debugged(session, fixture.Exited(now, 124, "Error", "")))
	p := pass(t, about(session, exited, accessIs(plan.AccessUnsure)))
	want{phase: v1alpha1.PhaseEnding, does: "RevokeAccess", wakes: now}.check(t, p)
	quiet(t, session, p)

	p = pass(t, about(session, exited, accessIs(plan.AccessRevoked)))
	want{phase: v1alpha1.PhaseEnded}.check(t, p)
	if code := p.Status.Debugger.ExitCode; code == nil || *code != 124 {
		t.Errorf("exit code %v", code)
	}
}

// It takes the API server about as long as the kubelet takes to start a container. What does not start is not reached by anyone.
func TestAccessIsGivenWhileTheDebuggerStarts(t *testing.T) {
	for name, tc := range map[string]struct {
		state corev1.ContainerState
		does  string
	}{
		"not seen by its kubelet yet": {corev1.ContainerState{}, "GrantAccess"},
		"being created":               {fixture.Waiting("ContainerCreating", ""), "GrantAccess"},
		"no such image":               {fixture.Waiting("ErrImagePull", "not found"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			session := admitted(t, fixture.Session(), fixture.Pod())
			p := pass(t, about(session, target(debugged(session, tc.state))))
			if p.Status.Phase != v1alpha1.PhaseStarting || p.Status.Attach != "" || does(p) != tc.does {
				t.Errorf("phase %s, does %q, attach %q", p.Status.Phase, does(p), p.Status.Attach)
			}
			p = pass(t, about(session, target(debugged(session, tc.state)), accessIs(plan.AccessGranted)))
			if len(p.Actions) > 0 {
				t.Errorf("does %q again", does(p))
			}
		})
	}
}

func TestGivingAccess(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	v := about(session, target(debugged(session, fixture.Running(now))))
	for name, tc := range map[string]struct {
		result plan.Result
		want   want
	}{
		"worked": {plan.Result{}, want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}},
		"refused": {plan.Result{Refusal: &plan.Refusal{Reason: v1alpha1.ReasonRefused, Message: "exceeded quota"}},
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeFailed, reason: "Refused", says: "granting access: exceeded quota",
				does: "GrantAccess"}},
		"nowhere": {plan.Result{Gone: true}, want{phase: v1alpha1.PhaseStarting, reason: "Retrying", says: "the namespace does not exist",
			does: "GrantAccess", retries: true, warns: "Retrying"}},
		"failed": {
			plan.Result{Err: errBusy},
			want{phase: v1alpha1.PhaseStarting, reason: "Retrying", does: "GrantAccess", retries: true, warns: "Retrying"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := withResult(t, v, tc.result)
			tc.want.check(t, p)
			if active := p.Status.Phase == v1alpha1.PhaseActive; active != (p.Status.Attach != "") ||
				active != (len(p.Events) == 1 && p.Events[0].Reason == "Active") {
				t.Errorf("phase %s, attach %q, events %v", p.Status.Phase, p.Status.Attach, p.Events)
			}
		})
	}
}

// That access cannot be taken away is no reason to let the debugger live, and the session does not say Ended.
func TestTakingAccess(t *testing.T) {
	session, pod := active(t)
	session = ending(t, session)
	for name, looks := range map[string][]look{"debugger there": {target(pod)}, "debugger gone": {targetIs(absent())}} {
		t.Run(name, func(t *testing.T) {
			v := about(session, append(looks, accessIs(plan.AccessUnsure))...)
			p := pass(t, v, plan.Result{Action: plan.RevokeAccess{Name: session.Status.Access.Name}, Err: errBusy})
			if p.Status.Phase != v1alpha1.PhaseEnding || p.Retry == nil || warnings(p) != "StillRunning" {
				t.Errorf("phase %s, retries %v, warns %q", p.Status.Phase, p.Retry, warnings(p))
			}
			if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionDebuggerReady); c.Reason != "StillRunning" {
				t.Errorf("says %s: %s", c.Reason, c.Message)
			}
		})
	}
}
