package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// anew is the debugger's container as its kubelet tells of one that was removed from the runtime while it ran.
func anew(session *v1alpha1.DebugSession, state corev1.ContainerState) *corev1.Pod {
	return debugged(session, state, func(p *corev1.Pod) {
		p.Status.EphemeralContainerStatuses[0].RestartCount = 1
		p.Status.EphemeralContainerStatuses[0].LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "The container could not be located when the pod was deleted.",
		}}
	})
}

// A kubelet makes an ephemeral container anew that was removed from the runtime. The session is over when that one has ended too.
func TestAContainerThatWasRemovedFromTheRuntime(t *testing.T) {
	session, _ := active(t)
	over := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated, reason: v1alpha1.ReasonGone,
		says: `somebody removed container "debugger-k0y0yq03" from node "node-1"`}
	again := fixture.Running(after(10 * time.Second))
	ended := fixture.Exited(after(5*time.Second), 137, "Error", "")
	ended.Terminated.StartedAt.Time = now
	killed := debugged(session, ended)
	seen := written(session, pass(t, about(session, target(killed), at(after(6*time.Second)))))
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		pod     *corev1.Pod
	}{
		"it is made anew":                       {session, anew(session, fixture.Waiting("ContainerCreating", ""))},
		"it runs anew":                          {session, anew(session, again)},
		"it runs anew, which is all that tells": {session, debugged(session, again)},
		"it was told of as killed":              {seen, debugged(session, again)},
		"it could not be started anew": {
			session,
			debugged(session, fixture.Exited(after(8*time.Second), 128, "StartError", "no memory")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(tc.session, target(tc.pod), at(after(9*time.Second))))
			over.check(t, p)
			if !p.Status.Debugger.StartedAt.Time.Equal(now) {
				t.Errorf("its own start was overwritten: %s", p.Status.Debugger.StartedAt)
			}
		})
	}
	t.Run("the session says so and ends it", func(t *testing.T) {
		ends := written(session, pass(t, about(session, target(anew(session, again)))))
		p := pass(t, about(ends, target(anew(session, again)), at(after(11*time.Second))))
		want{phase: v1alpha1.PhaseEnding, does: "StopDebugger", wakes: after(26 * time.Second)}.check(t, p)
		swept := fixture.Exited(after(12*time.Second), 143, "Error", "debugsession: ended before its deadline, as asked\n")
		p = pass(t, about(written(ends, p), target(anew(session, swept)), at(after(12*time.Second))))
		want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated}.check(t, p)
		if by := p.Status.Debugger.StoppedBy; by != v1alpha1.StoppedByOther {
			t.Errorf("stopped by %q", by)
		}
	})
	t.Run("it is not over before it can run no more", func(t *testing.T) {
		gone := anew(session, fixture.Waiting("CreateContainerError", "invalid target container"))
		ends := written(session, pass(t, about(session, target(gone))))
		never := after(plan.StartTimeout)
		p := pass(t, about(ends, target(gone), at(after(time.Minute))))
		want{phase: v1alpha1.PhaseEnding, says: "was removed from its node and is being recreated by the kubelet"}.check(t, p)
		p = pass(t, about(written(ends, p), target(gone), at(never.Add(-time.Second))))
		want{phase: v1alpha1.PhaseEnding, wakes: never}.check(t, p)
		p = pass(t, about(written(ends, p), target(gone), at(never)))
		want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated}.check(t, p)
	})
	t.Run("killed by somebody, it is given time to come back", func(t *testing.T) {
		for name, tc := range map[string]struct {
			state corev1.ContainerState
			at    time.Time
			waits bool
		}{
			"killed":               {fixture.Exited(now, 137, "Error", ""), now, true},
			"told to stop":         {fixture.Exited(now, 143, "Error", ""), now, true},
			"ended by its command": {fixture.Exited(now, 1, "Error", ""), now, false},
			"stopped by its watchdog": {
				fixture.Exited(now, 143, "Error", "debugsession: ended before its deadline, as asked\n"),
				now,
				false,
			},
			"killed for its memory":    {fixture.Exited(now, 137, "OOMKilled", ""), now, false},
			"too late to be made anew": {fixture.Exited(after(10*time.Minute), 143, "Error", ""), after(10 * time.Minute), false},
		} {
			p := pass(t, about(session, target(debugged(session, tc.state)), at(tc.at)))
			if waits := p.Status.Phase == v1alpha1.PhaseActive; waits != tc.waits {
				t.Errorf("%s: waits %t (%s)", name, waits, said(p))
			}
		}
	})
}

// A pod that was made is restarted by its kubelet, or not, as its target is. Its session is over in either case, and nothing its command
// did.
func TestADebuggerThatItsNodeHasLost(t *testing.T) {
	forgotten := &corev1.ContainerStateTerminated{
		ExitCode: 137,
		Reason:   "ContainerStatusUnknown",
		Message:  "The container could not be located when the pod was deleted.",
	}
	restarted := fixture.Exited(now, 255, "Unknown", "").Terminated
	for mode, made := range map[string]func(*testing.T) (*v1alpha1.DebugSession, *corev1.Pod){
		"copy": func(t *testing.T) (*v1alpha1.DebugSession, *corev1.Pod) { return activeCopy(t) }, "node": activeOnNode,
	} {
		for name, tc := range map[string]struct {
			state, before corev1.ContainerState
		}{
			"removed":                     {state: corev1.ContainerState{Terminated: forgotten}},
			"removed, and made anew":      {fixture.Waiting("ContainerCreating", ""), corev1.ContainerState{Terminated: forgotten}},
			"removed, and runs anew":      {fixture.Running(after(time.Second)), corev1.ContainerState{Terminated: forgotten}},
			"its node was restarted":      {state: corev1.ContainerState{Terminated: restarted}},
			"its node was restarted, too": {fixture.Running(after(time.Second)), corev1.ContainerState{Terminated: restarted}},
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				session, pod := made(t)
				pod = pod.DeepCopy()
				fixture.ContainerState(session.Status.Debugger.ContainerName, tc.state)(pod)
				pod.Status.ContainerStatuses[len(pod.Status.ContainerStatuses)-1].LastTerminationState = tc.before
				p := pass(t, about(session, copied(pod)))
				want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated, reason: v1alpha1.ReasonGone,
					says: "was restarted, or somebody removed container"}.check(t, p)
				p = pass(t, about(written(session, p), copyIs(absent())))
				if by := p.Status.Debugger.StoppedBy; by != v1alpha1.StoppedByOther || p.Status.Outcome != v1alpha1.OutcomeTerminated {
					t.Errorf("came to %s, stopped by %q", p.Status.Outcome, by)
				}
				if at := p.Status.Debugger.FinishedAt; at != nil && at.IsZero() {
					t.Error("ended at no time")
				}
			})
		}
	}
}

// What all containers of a pod were restarted for is the end of what has joined one.
func TestAPodWhoseContainersAreAllRestarted(t *testing.T) {
	session, _ := active(t)
	restarting := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 137, Reason: "RestartingAllContainers", Message: "The container is removed because RestartAllContainers in place",
	}}
	killed := fixture.Exited(after(28*time.Second), 137, "Error", "")
	condition := func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions,
			corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: corev1.ConditionTrue})
	}
	gone := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone, reason: v1alpha1.ReasonTargetRestarted}
	for name, tc := range map[string]struct {
		changes []fixture.PodOption
		want    want
	}{
		"which is on its way":    {[]fixture.PodOption{appIs(fixture.Waiting("RestartingAllContainers", ""), restarting, 1)}, gone},
		"which is done":          {[]fixture.PodOption{appIs(fixture.Running(after(29*time.Second)), restarting, 1)}, gone},
		"which the pod tells of": {[]fixture.PodOption{condition}, gone},
		"which was long before": {
			[]fixture.PodOption{appIs(fixture.Running(now.Add(-time.Minute)), restarting, 1)},
			want{phase: v1alpha1.PhaseActive},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, target(debugged(session, killed, tc.changes...)), at(after(29*time.Second))))
			tc.want.check(t, p)
			if tc.want.outcome == "" {
				return
			}
			p = pass(t, about(written(session, p), target(debugged(session, killed, tc.changes...)), at(after(29*time.Second))))
			if by := p.Status.Debugger.StoppedBy; by != v1alpha1.StoppedByTarget || p.Status.Outcome != v1alpha1.OutcomeTargetGone {
				t.Errorf("came to %s, stopped by %q", p.Status.Outcome, by)
			}
		})
	}
	copySession, made := activeCopy(t)
	debugger := copySession.Status.Debugger.ContainerName
	for name, change := range map[string]fixture.PodOption{
		"copy": func(p *corev1.Pod) {
			fixture.ContainerState(debugger, fixture.Waiting("RestartingAllContainers", ""))(p)
			p.Status.ContainerStatuses[len(p.Status.ContainerStatuses)-1].LastTerminationState = restarting
		},
		"copy, killed first": func(p *corev1.Pod) { condition(p); fixture.ContainerState(debugger, killed)(p) },
	} {
		t.Run(name, func(t *testing.T) {
			pod := made.DeepCopy()
			change(pod)
			p := pass(t, about(copySession, copied(pod)))
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeFailed, reason: v1alpha1.ReasonTargetRestarted,
				says: "all containers of the copy"}.check(t, p)
			p = pass(t, about(written(copySession, p), copyIs(absent())))
			if by := p.Status.Debugger.StoppedBy; by != v1alpha1.StoppedByOther {
				t.Errorf("stopped by %q", by)
			}
		})
	}
}

// A session that is ended before its debugger started says what that takes, where a person looks first.
func TestEndingWhatHasNotStarted(t *testing.T) {
	for name, tc := range map[string]struct {
		ttl   time.Duration
		never time.Time
	}{"until it is too late to start": {time.Hour, after(plan.StartTimeout)}, "until its deadline": {time.Minute, after(time.Minute)}} {
		t.Run(name, func(t *testing.T) {
			session := ending(t, admitted(t, fixture.Session(fixture.TTL(tc.ttl)), fixture.Pod()))
			pod := debugged(session, fixture.Waiting("ImagePullBackOff", pullPause))
			p := pass(t, about(session, target(pod)))
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated,
				says: `spec.end was set to true; the debugger never ran; container "debugger-k0y0yq03" in pod "web" has not started ` +
					`(ErrImagePull), and Kubernetes cannot remove it; it will be stopped if it starts; the session ends at ` +
					tc.never.Format(time.RFC3339)}.check(t,
				p)
			if len(p.Events) != 1 || p.Events[0].Reason != v1alpha1.ReasonNotStarted {
				t.Errorf("tells %+v", p.Events)
			}
			waits := written(session, p)
			quiet(t, waits, pass(t, about(waits, target(pod), at(soon))))
			p = pass(t, about(waits, target(pod), at(tc.never)))
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated, says: "never started"}.check(t, p)
		})
	}
}
