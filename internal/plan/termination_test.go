package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/policy"
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
	gone := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone, reason: "TargetRestarted",
		says: `container "app" of pod "web" ended (OOMKilled, exit code 137)`}
	finished := gone
	finished.reason = v1alpha1.ReasonTargetFinished
	itself := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted, reason: "Exited", says: "exit code 137"}
	starved := want{
		phase:   v1alpha1.PhaseEnding,
		outcome: v1alpha1.OutcomeFailed,
		reason:  "OOMKilled",
		says:    `container "app" ended at the same time`,
	}
	waits := want{phase: v1alpha1.PhaseActive, wakes: after(3 * time.Second)}
	for name, tc := range map[string]struct {
		state   corev1.ContainerState
		changes []fixture.PodOption
		want    want
	}{
		"restarted":                {killed, []fixture.PodOption{restarted(now, 137, "OOMKilled")}, gone},
		"restarted a second later": {killed, []fixture.PodOption{restarted(after(time.Second), 137, "OOMKilled")}, gone},
		"ended, and stays so": {
			killed,
			[]fixture.PodOption{fixture.ContainerState("app", fixture.Exited(now, 137, "OOMKilled", ""))},
			gone,
		},
		"ended for good":        {killed, []fixture.PodOption{never(fixture.Exited(now, 137, "OOMKilled", ""))}, finished},
		"restarted long before": {killed, []fixture.PodOption{restarted(now.Add(-time.Minute), 137, "OOMKilled")}, waits},
		"restarted long after":  {killed, []fixture.PodOption{restarted(after(time.Minute), 137, "OOMKilled")}, waits},
		"another container's end": {
			killed,
			[]fixture.PodOption{fixture.ContainerState("proxy", fixture.Exited(now, 1, "Error", ""))},
			waits,
		},
		"nothing is said of it": {killed, nil, waits},
		"killed for its own memory": {
			fixture.Exited(now, 137, "OOMKilled", ""),
			[]fixture.PodOption{restarted(now, 137, "OOMKilled")},
			starved,
		},
		"in a shared process namespace": {killed,
			[]fixture.PodOption{restarted(now, 137, "OOMKilled"), func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = new(true) }},
			want{phase: v1alpha1.PhaseActive, wakes: after(5 * time.Second)}},
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
		late := about(seen, target(debugged(session, killed)), at(after(3*time.Second)))
		want{phase: v1alpha1.PhaseActive, wakes: after(5 * time.Second)}.check(t, pass(t, late)) // it may be made anew
		late.now = after(5 * time.Second)
		itself.check(t, pass(t, late))
	})
}

// A machine that was started anew knows of what ran on it that it does not run any more, or not even that.
func TestADebuggerThatWentWithItsNode(t *testing.T) {
	session, _ := active(t)
	forgotten := fixture.Exited(now, 137, "ContainerStatusUnknown", "The container could not be located when the pod was terminated")
	forgotten.Terminated.StartedAt, forgotten.Terminated.FinishedAt = metav1.Time{}, metav1.Time{}
	for name, state := range map[string]corev1.ContainerState{"known": fixture.Exited(now, 255, "Unknown", ""), "forgotten": forgotten} {
		t.Run(name, func(t *testing.T) {
			v := about(session, target(debugged(session, state)))
			if name == "forgotten" { // it may be made anew
				p := pass(t, v)
				want{phase: v1alpha1.PhaseActive, wakes: after(5 * time.Second)}.check(t, p)
				v.session, v.now = written(session, p), after(5*time.Second)
			}
			p := pass(t, v)
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone, reason: "TargetRestarted",
				says: `node "node-1"`}.check(t, p)
			v.session = written(v.session, p)
			p = pass(t, v)
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTargetGone}.check(t, p)
			if by := p.Status.Debugger.StoppedBy; by != v1alpha1.StoppedByTarget {
				t.Errorf("stopped by %s", by)
			}
			if at := p.Status.Debugger.FinishedAt; at != nil && at.IsZero() {
				t.Error("ended at no time")
			}
		})
	}
	other := fixture.Exited(now, 255, "Error", "")
	want{
		phase:   v1alpha1.PhaseEnding,
		outcome: v1alpha1.OutcomeCompleted,
	}.check(t, pass(t, about(session, target(debugged(session, other)))))
}

func TestWhatStoppedTheDebugger(t *testing.T) {
	session, _ := active(t)
	exits := func(session *v1alpha1.DebugSession, state corev1.ContainerState, when time.Time,
		changes ...fixture.PodOption) v1alpha1.StoppedBy {
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
	late, hard := after(policy.DefaultTTL), session.Status.HardDeadline.Time
	for name, tc := range map[string]struct{ got, want v1alpha1.StoppedBy }{
		"its command ended":        {exits(session, fixture.Exited(now, 0, "Completed", ""), now), v1alpha1.StoppedByCommand},
		"the operator swept it":    {exits(ending(t, session), swept, now), v1alpha1.StoppedByOperator},
		"the sweep had to kill it": {exits(ending(t, session), fixture.Exited(now, 137, "Error", ""), now), v1alpha1.StoppedByOperator},
		"its deadline was faster": {
			exits(session, fixture.Exited(late, 124, "Error", "debugsession: ended at its deadline\n"), late),
			v1alpha1.StoppedByDeadline,
		},
		"the hard deadline was faster": {
			exits(session, fixture.Exited(hard, 124, "Error", "debugsession: ended at its hard deadline\n"), hard),
			v1alpha1.StoppedByHardDeadline,
		},
		"somebody signalled it": {exits(session, swept, now), v1alpha1.StoppedByOther},
		"its target ended": {
			exits(session, fixture.Exited(now, 137, "Error", ""), now, restarted(now, 1, "Error")),
			v1alpha1.StoppedByTarget,
		},
		"it never ran": {exits(session, gaveUp(125, "no sleep is in its PATH (/bin)"), now), ""},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: stopped by %q, want %q", name, tc.got, tc.want)
		}
	}
}

// Whoever reads the record sees that it was the time limit that ended it, and not its command.
func TestALostWatchdogIsTold(t *testing.T) {
	session, _ := active(t)
	lost := debugpod.WatchdogLost + "\n"
	for name, tc := range map[string]struct {
		state corev1.ContainerState
		told  bool
	}{
		"lost":                  {fixture.Exited(now, 143, "Error", lost), true},
		"asked to end":          {fixture.Exited(now, 143, "Error", "debugsession: ended before its deadline, as asked\n"), false},
		"another exit code":     {fixture.Exited(now, 1, "Error", lost), false},
		"no word of a watchdog": {fixture.Exited(now, 143, "Error", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, target(debugged(session, tc.state)), at(after(plan.StartTimeout))))
			message := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionEnded).Message
			if told := strings.Contains(message, "its time limit ended it early"); told != tc.told {
				t.Errorf("says %q", message)
			}
		})
	}
}

// gaveUp is a container in which the wrapper has not started the command.
func gaveUp(code int32, why string) corev1.ContainerState {
	state := fixture.Exited(now, code, "Error", "debugsession: not started: "+why+"\n")
	state.Terminated.StartedAt = state.Terminated.FinishedAt
	return state
}

// Whoever is in a debugger can write its last words, and choose its exit code.
func TestADebuggersLastWordsAreNotBelieved(t *testing.T) {
	session, _ := active(t)
	early, deadline := after(20*time.Minute), session.Status.Debugger.Deadline.Time
	says := func(at time.Time, code int32, words string) corev1.ContainerState {
		state := fixture.Exited(at, code, "Error", words)
		state.Terminated.StartedAt = metav1.NewTime(now)
		return state
	}
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		state   corev1.ContainerState
		outcome v1alpha1.Outcome
		by      v1alpha1.StoppedBy
	}{
		"that it never ran": {session, says(early, 125, "debugsession: not started: no sleep is in its PATH (/bin)\n"),
			v1alpha1.OutcomeCompleted, v1alpha1.StoppedByCommand},
		"that its deadline ended it": {session, says(early, 124, "debugsession: ended at its deadline\n"),
			v1alpha1.OutcomeCompleted, v1alpha1.StoppedByCommand},
		"that its deadline ended it, when the operator did": {ending(t, session),
			says(early, 143, "debugsession: ended at its hard deadline\ndebugsession: ended before its deadline, as asked\n"),
			v1alpha1.OutcomeTerminated, v1alpha1.StoppedByOperator},
		"so much that nothing else has room": {session, says(deadline, 124, "aaaaaaaaaaaaaaaa"),
			v1alpha1.OutcomeExpired, v1alpha1.StoppedByDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			session, pod := tc.session, debugged(tc.session, tc.state)
			for range 3 {
				session = written(session, pass(t, about(session, target(pod), at(deadline.Add(-time.Second)))))
			}
			if session.Status.Outcome != tc.outcome || session.Status.Debugger.StoppedBy != tc.by {
				t.Errorf("came to %s, stopped by %q; want %s, %q", session.Status.Outcome, session.Status.Debugger.StoppedBy,
					tc.outcome, tc.by)
			}
		})
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
		"the operator deleted it": {ends(ending(t, session), absent()), v1alpha1.StoppedByOperator},
		"somebody deleted it":     {ends(session, absent()), v1alpha1.StoppedByOther},
		"its node evicted it":     {ends(session, with(fixture.Finished(corev1.PodFailed, "Evicted", ""))), v1alpha1.StoppedByOther},
		"the kubelet, at its time": {
			ends(session, with(fixture.Finished(corev1.PodFailed, "DeadlineExceeded", ""))),
			v1alpha1.StoppedByHardDeadline,
		},
		"its command ended": {ends(session,
			with(fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Exited(now, 0, "Completed", "")))),
			v1alpha1.StoppedByCommand},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: stopped by %q, want %q", name, tc.got, tc.want)
		}
	}
}
