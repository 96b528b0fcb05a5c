package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// restarted has container app of the target end at that moment, and run again.
func restarted(at time.Time, code int32, reason string) fixture.PodOption {
	return func(p *corev1.Pod) {
		fixture.ContainerState("app", fixture.Running(at.Add(time.Second)))(p)
		p.Status.ContainerStatuses[len(p.Status.ContainerStatuses)-1].LastTerminationState = fixture.Exited(at, code, reason, "")
	}
}

// A container's first process takes all with it that have joined its process namespace.
func TestADebuggerThatWentWithItsTarget(t *testing.T) {
	killed := fixture.Exited(now, 137, "Error", "")
	session, _ := active(t)
	gone := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone, reason: "TargetRestarted", says: `container "app" of pod "web" ended (OOMKilled, exit code 137)`}
	itself := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted, reason: "Exited", says: "exit code 137"}
	waits := want{phase: v1alpha1.PhaseActive, wakes: after(3 * time.Second)}
	for name, tc := range map[string]struct {
		state   corev1.ContainerState
		changes []fixture.PodOption
		want    want
	}{
		"restarted":                     {killed, []fixture.PodOption{restarted(now, 137, "OOMKilled")}, gone},
		"restarted a second later":      {killed, []fixture.PodOption{restarted(after(time.Second), 137, "OOMKilled")}, gone},
		"ended, and stays so":           {killed, []fixture.PodOption{fixture.ContainerState("app", fixture.Exited(now, 137, "OOMKilled", ""))}, gone},
		"restarted long before":         {killed, []fixture.PodOption{restarted(now.Add(-time.Minute), 137, "OOMKilled")}, waits},
		"restarted long after":          {killed, []fixture.PodOption{restarted(after(time.Minute), 137, "OOMKilled")}, waits},
		"another container's end":       {killed, []fixture.PodOption{fixture.ContainerState("proxy", fixture.Exited(now, 1, "Error", ""))}, waits},
		"nothing is said of it":         {killed, nil, waits},
		"killed for its own memory":     {fixture.Exited(now, 137, "OOMKilled", ""), []fixture.PodOption{restarted(now, 137, "OOMKilled")}, itself},
		"in a shared process namespace": {killed, []fixture.PodOption{restarted(now, 137, "OOMKilled"), func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = new(true) }}, itself},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, target(debugged(session, tc.state, tc.changes...))))
			tc.want.check(t, p)
		})
	}

	t.Run("nothing is said of it in time", func(t *testing.T) {
		pod := debugged(session, killed)
		p := pass(t, about(session, target(pod)))
		if p.Status.Attach != "" {
			t.Errorf("says how to attach to what has ended: %s", p.Status.Attach)
		}
		seen := written(session, p)
		early := pass(t, about(seen, target(pod), at(after(2*time.Second))))
		waits.check(t, early)
		restarted(now, 137, "OOMKilled")(pod)
		gone.check(t, pass(t, about(seen, target(pod), at(after(2*time.Second)))))
		itself.check(t, pass(t, about(seen, target(debugged(session, killed)), at(after(3*time.Second)))))
	})
}

func TestWhatStoppedTheDebugger(t *testing.T) {
	session, _ := active(t)
	exits := func(session *v1alpha1.DebugSession, state corev1.ContainerState, when time.Time, changes ...fixture.PodOption) v1alpha1.StoppedBy {
		pod := debugged(session, state, changes...)
		for range 3 {
			session = written(session, pass(t, about(session, target(pod), at(when))))
		}
		if session.Status.Phase != v1alpha1.PhaseEnded {
			t.Fatalf("not ended: %s", session.Status.Phase)
		}
		return session.Status.Debugger.StoppedBy
	}
	swept := fixture.Exited(now, 143, "Error", "debugsession: ended before its deadline, as asked\n")
	late := after(plan.DefaultTTL)
	for name, tc := range map[string]struct{ got, want v1alpha1.StoppedBy }{
		"its command ended":            {exits(session, fixture.Exited(now, 0, "Completed", ""), now), v1alpha1.StoppedByCommand},
		"the operator swept it":        {exits(ending(t, session), swept, now), v1alpha1.StoppedByOperator},
		"the sweep had to kill it":     {exits(ending(t, session), fixture.Exited(now, 137, "Error", ""), now), v1alpha1.StoppedByOperator},
		"the hard deadline was faster": {exits(session, fixture.Exited(now, 124, "Error", "debugsession: ended at its hard deadline\n"), late), v1alpha1.StoppedByHardDeadline},
		"somebody signalled it":        {exits(session, swept, now), v1alpha1.StoppedByOther},
		"its target ended":             {exits(session, fixture.Exited(now, 137, "Error", ""), now, restarted(now, 1, "Error")), v1alpha1.StoppedByTarget},
		"it never ran":                 {exits(session, fixture.Exited(now, 125, "Error", "debugsession: not started: the image has no sleep"), now), ""},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: stopped by %q, want %q", name, tc.got, tc.want)
		}
	}
}

func TestWhatStoppedACopy(t *testing.T) {
	session, made := activeCopy(t)
	ends := func(session *v1alpha1.DebugSession, is plan.Observed[*corev1.Pod]) v1alpha1.StoppedBy {
		v := about(session, copyIs(is), freshCopy(absent()))
		session = written(session, pass(t, v))
		if session.Status.Phase != v1alpha1.PhaseEnded {
			session = written(session, pass(t, about(session, copyIs(absent()))))
		}
		if session.Status.Phase != v1alpha1.PhaseEnded {
			t.Fatalf("not ended: %s", session.Status.Phase)
		}
		return session.Status.Debugger.StoppedBy
	}
	with := func(change fixture.PodOption) plan.Observed[*corev1.Pod] {
		pod := made.DeepCopy()
		change(pod)
		return plan.Found(pod)
	}
	for name, tc := range map[string]struct{ got, want v1alpha1.StoppedBy }{
		"the operator deleted it":  {ends(ending(t, session), absent()), v1alpha1.StoppedByOperator},
		"somebody deleted it":      {ends(session, absent()), v1alpha1.StoppedByOther},
		"its node evicted it":      {ends(session, with(fixture.Finished(corev1.PodFailed, "Evicted", ""))), v1alpha1.StoppedByOther},
		"the kubelet, at its time": {ends(session, with(fixture.Finished(corev1.PodFailed, "DeadlineExceeded", ""))), v1alpha1.StoppedByHardDeadline},
		"its command ended": {ends(session, with(fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Exited(now, 0, "Completed", "")))),
			v1alpha1.StoppedByCommand},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: stopped by %q, want %q", name, tc.got, tc.want)
		}
	}
}
