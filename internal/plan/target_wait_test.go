package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// crashing has container app of the target wait for its next start, after so many.
func crashing(restarts int32) fixture.PodOption {
	return appIs(fixture.Waiting("CrashLoopBackOff", "back-off 40s restarting failed container"),
		fixture.Exited(now.Add(-time.Second), 1, "Error", ""), restarts)
}

func appIs(state, last corev1.ContainerState, restarts int32) fixture.PodOption {
	return func(p *corev1.Pod) {
		fixture.ContainerState("app", state)(p)
		app := &p.Status.ContainerStatuses[len(p.Status.ContainerStatuses)-1]
		app.LastTerminationState, app.RestartCount = last, restarts
	}
}

// notYet is a pod of which the kubelet has begun nothing but what is said of it.
func notYet(states ...fixture.PodOption) *corev1.Pod {
	return fixture.Pod(append([]fixture.PodOption{func(p *corev1.Pod) {
		p.Status = corev1.PodStatus{Phase: corev1.PodPending, InitContainerStatuses: p.Status.InitContainerStatuses}
		fixture.ContainerState("app", fixture.Waiting("PodInitializing", ""))(p)
	}}, states...)...)
}

func sidecar(p *corev1.Pod) {
	p.Spec.InitContainers[0].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
}

func ofContainer(name string) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = name }
}

// What the target's container waits for is what the session says that it waits for, before anything is made.
func TestWaitingForTheTargetsContainer(t *testing.T) {
	notStarted := func(says ...string) (string, []string) { return v1alpha1.ReasonTargetNotStarted, says }
	notRunning := func(says ...string) (string, []string) { return v1alpha1.ReasonTargetNotRunning, says }
	type told struct {
		reason string
		says   []string
	}
	of := func(reason string, says []string) told {
		return told{reason, append(says, "until 2026-11-24T12:05:01Z")}
	}
	imagePull := fixture.Waiting("ImagePullBackOff", pullPause)
	for name, tc := range map[string]struct {
		container string
		pod       *corev1.Pod
		want      told
	}{
		"a crash loop": {pod: fixture.Pod(crashing(3)), want: of(notRunning(
			`container "app" of pod "web" is not running: it ended (Error, exit code 1; restarted 3 times)`,
			"mode: PodCopy and podCopy.quiesce: [{name: app}]"))},
		"a crash, not restarted yet": {pod: fixture.Pod(fixture.ContainerState("app", fixture.Exited(now, 3, "Error", ""))),
			want: of(notRunning("it ended (Error, exit code 3)"))},
		"restarted with all others": {pod: fixture.Pod(appIs(fixture.Waiting("RestartingAllContainers", ""), corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "RestartingAllContainers"}}, 1)),
			want: of(notRunning("restarted once"))},
		"its image": {
			pod:  notYet(fixture.ContainerState("app", imagePull)),
			want: of(notStarted(`container "app" of pod "web" has not started: ErrImagePull: ` + pullError)),
		},
		"its settings": {pod: notYet(
			fixture.ContainerState("app", fixture.Waiting("CreateContainerConfigError", `secret "nope" not found`))),
			want: of(notStarted(`has not started: CreateContainerConfigError: secret "nope" not found`))},
		"nothing that is told": {
			pod:  notYet(fixture.ContainerState("app", fixture.Waiting("ContainerCreating", ""))),
			want: of(notStarted("has not started yet")),
		},
		"no word of it": {
			pod:  notYet(func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }),
			want: of(notStarted("has not started yet")),
		},
		"an init container": {pod: notYet(fixture.InitContainerState("setup", fixture.Running(now))),
			want: of(notStarted(`it waits for init container "setup", which has been running since 2026-11-24T12:00:01Z; ` +
				`to debug that one, name it in spec.target.container`))},
		"an init container's image": {
			pod:  notYet(fixture.InitContainerState("setup", imagePull)),
			want: of(notStarted(`it waits for init container "setup": ErrImagePull: ` + pullError)),
		},
		"an init container that fails": {pod: notYet(fixture.InitContainerState("setup", fixture.Exited(now, 2, "Error", ""))),
			want: of(notStarted(`it waits for init container "setup", which fails (Error, exit code 2)`))},
		"a sidecar's probe": {
			pod:  notYet(sidecar, fixture.InitContainerState("setup", fixture.Running(now))),
			want: of(notStarted(`init container "setup"`, "startup probe")),
		},
		"an init container before its own": {container: "second", pod: notYet(func(p *corev1.Pod) {
			p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: "second"})
		}, fixture.InitContainerState("setup", fixture.Running(now))),
			want: of(notStarted(`container "second" of pod "web" has not started: it waits for init container "setup"`))},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(ofContainer(tc.container))
			session.Finalizers = []string{v1alpha1.Finalizer}
			p := pass(t, about(session, target(tc.pod)))
			want{phase: v1alpha1.PhasePending, reason: tc.want.reason, wakes: after(plan.StartTimeout), warns: tc.want.reason}.check(t, p)
			saysAll(t, p, tc.want.says...)
			waiting := written(session, p)
			quiet(t, waiting, pass(t, about(waiting, target(tc.pod), at(after(time.Minute)))))
			if tc.container == "" {
				want{phase: v1alpha1.PhaseStarting}.check(t, pass(t, about(waiting, target(fixture.Pod()), at(after(time.Minute)))))
			}
			late := pass(t, about(waiting, target(tc.pod), at(after(plan.StartTimeout))))
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTimedOut, reason: "TimedOut", warns: "TimedOut"}.check(t, late)
			if got := meta.FindStatusCondition(late.Status.Conditions, v1alpha1.ConditionAdmissible).Reason; got != tc.want.reason {
				t.Errorf("Admissible has the reason %q, want %q", got, tc.want.reason)
			}

			copied := fixture.Session(ofContainer(tc.container), fixture.AsCopy()) // which needs nothing of it
			want{phase: v1alpha1.PhaseStarting, does: "AddFinalizer"}.check(t, pass(t, about(copied, target(tc.pod))))
		})
		t.Run(name+", since it was admitted", func(t *testing.T) {
			running := fixture.Pod(func(p *corev1.Pod) { p.Spec = tc.pod.Spec }, fixture.InitContainerState("second", fixture.Running(now)))
			session := admitted(t, fixture.Session(ofContainer(tc.container)), running)
			p := pass(t, about(session, target(tc.pod)))
			want{phase: v1alpha1.PhaseStarting, reason: tc.want.reason, wakes: after(plan.StartTimeout), warns: tc.want.reason}.check(t, p)
			saysAll(t, p, tc.want.says...)
			waiting := written(session, p)
			quiet(t, waiting, pass(t, about(waiting, target(tc.pod), at(after(time.Minute)))))
			want{phase: v1alpha1.PhaseStarting, does: "InjectDebugger"}.check(t, pass(t, about(waiting, target(running))))
			late := pass(t, about(waiting, target(tc.pod), at(after(plan.StartTimeout))))
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted}.check(t, late)
			saysAll(t, late, tc.want.says[:len(tc.want.says)-1]...)
		})
		t.Run(name+", since the debugger was added", func(t *testing.T) {
			running := fixture.Pod(func(p *corev1.Pod) { p.Spec = tc.pod.Spec }, fixture.InitContainerState("second", fixture.Running(now)))
			session := admitted(t, fixture.Session(ofContainer(tc.container)), running)
			debugger := session.Status.Debugger.ContainerName
			for _, word := range []string{"", `failed to generate spec opts: invalid target container: container "de06" is not running`,
				"unable to find target container app"} {
				pod := tc.pod.DeepCopy()
				fixture.Ephemeral(debugger)(pod)
				fixture.EphemeralState(debugger, fixture.Waiting("CreateContainerError", word))(pod)
				if word == "" {
					fixture.EphemeralState(debugger, corev1.ContainerState{})(pod)
				}
				p := pass(t, about(session, target(pod)))
				want{phase: v1alpha1.PhaseStarting, reason: tc.want.reason, wakes: after(plan.StartTimeout),
					warns: tc.want.reason}.check(t, p)
				saysAll(t, p, tc.want.says...)
				late := pass(t, about(written(session, p), target(pod), at(after(plan.StartTimeout))))
				want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted}.check(t, late)
				saysAll(t, late, tc.want.says[:len(tc.want.says)-1]...)
			}
		})
	}
}

func saysAll(t *testing.T, p plan.Plan, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(said(p), w) {
			t.Errorf("says %q, want %q in it", said(p), w)
		}
	}
	if strings.Contains(said(p), "debugger.command") || strings.Contains(said(p), "debugger.env") {
		t.Errorf("blames the debugger: %s", said(p))
	}
}

// Why a container does not start comes to light step by step, and each step is told in an event, once.
func TestEachReasonOfTheWaitIsTold(t *testing.T) {
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	for _, step := range []struct {
		pod  *corev1.Pod
		says string
	}{
		{notYet(fixture.InitContainerState("setup", fixture.Waiting("PodInitializing", ""))), `it waits for init container "setup"`},
		{notYet(fixture.InitContainerState("setup", fixture.Running(now))), "has been running since"},
		{notYet(fixture.ContainerState("app", fixture.Waiting("ErrImagePull", pullError))), "ErrImagePull"},
		{fixture.Pod(crashing(1)), "restarted once"},
		{fixture.Pod(crashing(2)), "restarted 2 times"},
	} {
		p := pass(t, about(session, target(step.pod)))
		if len(p.Events) != 1 || !strings.Contains(p.Events[0].Note, step.says) {
			t.Errorf("tells %+v, want %q", p.Events, step.says)
		}
		session = written(session, p)
		quiet(t, session, pass(t, about(session, target(step.pod))))
	}
}

// A container that shares its pod's processes is not joined, but the kubelet wants to have seen it.
func TestATargetInASharedProcessNamespace(t *testing.T) {
	shared := func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = ptr.To(true) }
	host := func(p *corev1.Pod) { p.Spec.HostPID = true }
	for _, share := range []fixture.PodOption{shared, host} {
		for name, tc := range map[string]struct {
			change fixture.PodOption
			reason string
		}{
			"that crashes":      {crashing(3), "Starting"},
			"that has finished": {never(fixture.Exited(now, 0, "Completed", "")), "Starting"},
			"that has not been yet": {
				fixture.ContainerState("app", fixture.Waiting("ContainerCreating", "")),
				v1alpha1.ReasonTargetNotStarted,
			},
		} {
			t.Run(name, func(t *testing.T) {
				p := pass(t, about(fixture.Session(), target(fixture.Pod(share, tc.change))))
				if p.Status.Reason != tc.reason {
					t.Errorf("reason is %q: %s", p.Status.Reason, said(p))
				}
			})
		}
	}
}

// never has the pod restart nothing, and container app stand so.
func never(state corev1.ContainerState) fixture.PodOption {
	return func(p *corev1.Pod) {
		p.Spec.RestartPolicy = corev1.RestartPolicyNever
		fixture.ContainerState("app", state)(p)
	}
}

// A container that is never started again is not waited for.
func TestATargetThatHasFinishedForGood(t *testing.T) {
	exited := func(code int32) fixture.PodOption {
		return fixture.ContainerState("app", fixture.Exited(now, code, "Error", ""))
	}
	podPolicy := func(policy corev1.RestartPolicy) fixture.PodOption {
		return func(p *corev1.Pod) { p.Spec.RestartPolicy = policy }
	}
	own := func(policy corev1.ContainerRestartPolicy, rules ...corev1.ContainerRestartRule) fixture.PodOption {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].RestartPolicy, p.Spec.Containers[0].RestartPolicyRules = &policy, rules
		}
	}
	on := func(action corev1.ContainerRestartRuleAction, operator corev1.ContainerRestartRuleOnExitCodesOperator,
		codes ...int32) corev1.ContainerRestartRule {
		return corev1.ContainerRestartRule{
			Action:    action,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: operator, Values: codes},
		}
	}
	const (
		restart, restartAll = corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers
		in, notIn           = corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn
	)
	proxyRestartsAll := func(p *corev1.Pod) {
		p.Spec.Containers[1].RestartPolicyRules = []corev1.ContainerRestartRule{on(restartAll, in, 88)}
	}
	setupIs := func(state corev1.ContainerState) fixture.PodOption { return fixture.InitContainerState("setup", state) }
	for name, tc := range map[string]struct {
		container string
		changes   []fixture.PodOption
		gone      bool
	}{
		"of a pod that restarts nothing": {changes: []fixture.PodOption{never(fixture.Exited(now, 1, "Error", ""))}, gone: true},
		"of one that restarts on failure, and 0": {
			changes: []fixture.PodOption{podPolicy(corev1.RestartPolicyOnFailure), exited(0)},
			gone:    true,
		},
		"of one that restarts on failure, and 1": {changes: []fixture.PodOption{podPolicy(corev1.RestartPolicyOnFailure), exited(1)}},
		"of one that restarts always":            {changes: []fixture.PodOption{podPolicy(corev1.RestartPolicyAlways), exited(0)}},
		"by its own policy": {
			changes: []fixture.PodOption{podPolicy(corev1.RestartPolicyAlways), own(corev1.ContainerRestartPolicyNever), exited(1)},
			gone:    true,
		},
		"restarted by its own policy": {
			changes: []fixture.PodOption{podPolicy(corev1.RestartPolicyNever), own(corev1.ContainerRestartPolicyAlways), exited(0)},
		},
		"on failure by its own policy": {
			changes: []fixture.PodOption{podPolicy(corev1.RestartPolicyNever), own(corev1.ContainerRestartPolicyOnFailure), exited(1)},
		},
		"restarted by its rules": {
			changes: []fixture.PodOption{own(corev1.ContainerRestartPolicyNever, on(restart, in, 42)), exited(42)},
		},
		"not by its rules": {
			changes: []fixture.PodOption{own(corev1.ContainerRestartPolicyNever, on(restart, in, 42)), exited(1)},
			gone:    true,
		},
		"restarted by what its rules leave out": {
			changes: []fixture.PodOption{own(corev1.ContainerRestartPolicyNever, on(restart, notIn, 42)), exited(1)},
		},
		"not by what its rules leave out": {
			changes: []fixture.PodOption{own(corev1.ContainerRestartPolicyNever, on(restart, notIn, 42)), exited(42)},
			gone:    true,
		},
		"restarted with all by its own": {
			changes: []fixture.PodOption{own(corev1.ContainerRestartPolicyNever, on(restartAll, in, 42)), exited(42)},
		},
		"perhaps restarted with all by another": {
			changes: []fixture.PodOption{never(fixture.Exited(now, 1, "Error", "")), proxyRestartsAll},
		},
		"not by another, which ended otherwise": {
			changes: []fixture.PodOption{never(fixture.Exited(now, 1, "Error", "")), proxyRestartsAll,
				fixture.ContainerState("proxy", fixture.Exited(now, 1, "Error", ""))},
			gone: true,
		},
		"an init container that has done its work": {container: "setup", gone: true},
		"an init container that is tried again": {
			container: "setup",
			changes:   []fixture.PodOption{setupIs(fixture.Exited(now, 1, "Error", ""))},
		},
		"a sidecar": {container: "setup", changes: []fixture.PodOption{sidecar}},
		"a sidecar of a pod that restarts nothing": {
			container: "setup",
			changes:   []fixture.PodOption{sidecar, podPolicy(corev1.RestartPolicyNever)},
		},
		"an init container with a policy of its own": {container: "setup", changes: []fixture.PodOption{func(p *corev1.Pod) {
			p.Spec.InitContainers[0].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyNever)
		}}, gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			pod, says := fixture.Pod(tc.changes...), "and will not be restarted"
			p := pass(t, about(fixture.Session(ofContainer(tc.container)), target(pod)))
			if !tc.gone {
				want{phase: v1alpha1.PhasePending, reason: v1alpha1.ReasonTargetNotRunning, does: "AddFinalizer",
					warns: "TargetNotRunning"}.check(t, p)
				return
			}
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTargetGone, reason: v1alpha1.ReasonTargetFinished, says: says,
				does: "AddFinalizer", warns: "TargetGone"}.check(t, p)

			runs := fixture.Pod(func(p *corev1.Pod) { p.Spec = pod.Spec }, setupIs(fixture.Running(now)))
			session := admitted(t, fixture.Session(ofContainer(tc.container)), runs)
			over := gone(v1alpha1.ReasonTargetFinished, says)
			over.check(t, pass(t, about(session, target(pod)))) // before the debugger was added
			fixture.Ephemeral(session.Status.Debugger.ContainerName)(pod)
			p = pass(t, about(session, target(pod)))
			over.check(t, p)
			p = pass(t, about(written(session, p), target(pod))) // it can start no more
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTargetGone, reason: v1alpha1.ReasonTargetFinished,
				warns: "TargetGone"}.check(t, p)
			fixture.EphemeralState(session.Status.Debugger.ContainerName, missed(noNamespace))(pod)
			over.check(t, pass(t, about(session, target(pod)))) // as the debugger joined it

			copied := fixture.Session(ofContainer(tc.container), fixture.AsCopy())
			want{phase: v1alpha1.PhaseStarting, does: "AddFinalizer"}.check(t, pass(t, about(copied, target(pod))))
		})
	}
}

const noNamespace = "failed to create containerd task: lstat /proc/2345/ns/pid: no such file or directory"

// missed is the state of a container that could not be started, in a runtime's words.
func missed(words string) corev1.ContainerState {
	state := fixture.Exited(now, 128, "StartError", words)
	state.Terminated.StartedAt.Time = time.Unix(0, 0)
	return state
}

// A debugger for which its target's end came as it joined never ran, and is not what is wrong.
func TestATargetThatEndsAsTheDebuggerJoins(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	const noChild = "runc create failed: can't get final child's PID from pipe: EOF"
	const noShell = `exec: "sh": executable file not found in $PATH`
	own := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: "StartError"}
	targets := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: v1alpha1.ReasonTargetRestarted,
		says: `container "app" of pod "web" ended (Error, exit code 1; restarted 4 times) as debugger`}
	shared := func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = ptr.To(true) }
	for name, tc := range map[string]struct {
		state   corev1.ContainerState
		changes []fixture.PodOption
		want    want
	}{
		"its namespace was gone":            {missed(noNamespace), []fixture.PodOption{crashing(4)}, targets},
		"its processes were gone":           {missed(noChild), []fixture.PodOption{crashing(4)}, targets},
		"told by when it ended":             {missed("OCI runtime create failed: EOF"), []fixture.PodOption{crashing(4)}, targets},
		"it ended, and there is no shell":   {missed(noShell), []fixture.PodOption{crashing(4)}, own},
		"it runs, and something else is up": {missed("OCI runtime create failed: EOF"), nil, own},
		"it shares its processes":           {missed("OCI runtime create failed: EOF"), []fixture.PodOption{crashing(4), shared}, own},
		"it has run again since": {missed(noNamespace),
			[]fixture.PodOption{appIs(fixture.Running(after(time.Second)), fixture.Exited(now, 1, "Error", ""), 4)},
			targets},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, target(debugged(session, tc.state, tc.changes...))))
			tc.want.check(t, p)
			if tc.want.reason == v1alpha1.ReasonTargetRestarted {
				saysAll(t, p, "podCopy.quiesce: [{name: app}]")
			}
		})
	}
	t.Run("the kubelet tells of it later", func(t *testing.T) {
		p := pass(t, about(session, target(debugged(session, missed(noChild)))))
		want{phase: v1alpha1.PhaseStarting, wakes: after(3 * time.Second)}.check(t, p)
		waits := written(session, p)
		targets.check(t, pass(t, about(waits, target(debugged(session, missed(noChild), crashing(4))), at(after(time.Second)))))
		p = pass(t, about(waits, target(debugged(session, missed(noChild))), at(after(3*time.Second))))
		want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: v1alpha1.ReasonTargetRestarted,
			says: `container "app" of pod "web" ended as debugger`}.check(t, p)
	})
}

// Whom a target runs as is known once its kubelet tells. Until then nothing is made that would run as somebody else.
func TestFromTargetWaitsForTheUser(t *testing.T) {
	fromTarget := func(s *v1alpha1.DebugSession) { s.Spec.Debugger.RunAs = v1alpha1.RunAsFromTarget }
	user := func(p *corev1.Pod) {
		p.Status.ContainerStatuses[len(p.Status.ContainerStatuses)-1].User = &corev1.ContainerUser{
			Linux: &corev1.LinuxContainerUser{UID: 65532, GID: 65532},
		}
	}
	sets := func(user, group *int64) fixture.PodOption {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: user, RunAsGroup: group}
		}
	}
	uid := ptr.To[int64](65532)
	const runsAs = "runAs: FromTarget"
	running := fixture.ContainerState("app", fixture.Running(now))
	creating := fixture.ContainerState("app", fixture.Waiting("ContainerCreating", ""))
	const notStarted, starting = v1alpha1.ReasonTargetNotStarted, "Starting"
	for name, tc := range map[string]struct {
		pod           *corev1.Pod
		joins, copies string // the reason of the session that joins it, and of the one that copies it
		says          string
		group         int64
	}{
		"nothing is told":     {pod: notYet(creating), joins: notStarted, copies: notStarted, says: runsAs},
		"its user is written": {pod: notYet(creating, sets(uid, nil)), joins: notStarted, copies: notStarted, says: runsAs},
		"all is written":      {pod: notYet(creating, sets(uid, uid)), joins: notStarted, copies: starting},
		"it is on no node": {
			pod:    fixture.Pod(fixture.Unplaced),
			joins:  v1alpha1.ReasonTargetNotPlaced,
			copies: v1alpha1.ReasonTargetNotPlaced,
		},
		"an init container is awaited": {
			pod:    notYet(fixture.InitContainerState("setup", fixture.Running(now))),
			joins:  notStarted,
			copies: notStarted,
			says:   `init container "setup"`,
		},
		"the kubelet tells": {pod: fixture.Pod(running, user), joins: starting, copies: starting, group: 65532},
		"the kubelet tells of the group": {
			pod:    fixture.Pod(running, sets(uid, nil), user),
			joins:  starting,
			copies: starting,
			group:  65532,
		},
		"it crashes, and was told of": {
			pod:    fixture.Pod(crashing(2), user),
			joins:  v1alpha1.ReasonTargetNotRunning,
			copies: starting,
			group:  65532,
		},
		"it runs, and will never be told": {pod: fixture.Pod(running), joins: v1alpha1.ReasonInvalid, copies: v1alpha1.ReasonInvalid},
		"the pod failed before it was told": {
			pod:    notYet(creating, fixture.Finished(corev1.PodFailed, "", "")),
			joins:  v1alpha1.ReasonTargetFinished,
			copies: v1alpha1.ReasonInvalid,
		},
		"it has finished, and was not told": {
			pod:    fixture.Pod(never(fixture.Exited(now, 0, "", ""))),
			joins:  v1alpha1.ReasonTargetFinished,
			copies: v1alpha1.ReasonInvalid,
		},
	} {
		for mode, options := range map[string][]fixture.SessionOption{"joined": {fromTarget}, "copied": {fixture.AsCopy(), fromTarget}} {
			t.Run(name+", "+mode, func(t *testing.T) {
				session, reason := fixture.Session(options...), tc.joins
				session.Finalizers = []string{v1alpha1.Finalizer}
				if mode == "copied" {
					reason = tc.copies
				}
				p := pass(t, about(session, target(tc.pod), copyIs(absent())))
				if p.Status.Reason != reason || !strings.Contains(said(p), tc.says) && reason != starting {
					t.Fatalf("reason is %q, want %q: %s", p.Status.Reason, reason, said(p))
				}
				if reason != starting || tc.group == 0 {
					return
				}
				sc := debuggerOf(t, pass(t, about(written(session, p), target(tc.pod), copyIs(absent())))).SecurityContext
				if *sc.RunAsUser != 65532 || sc.RunAsGroup == nil || *sc.RunAsGroup != tc.group {
					t.Errorf("runs as %+v", sc)
				}
			})
		}
	}
}

// debuggerOf is the container that a plan makes.
func debuggerOf(t *testing.T, p plan.Plan) corev1.Container {
	t.Helper()
	for _, action := range p.Actions {
		switch a := action.(type) {
		case plan.InjectDebugger:
			return corev1.Container(a.Container.EphemeralContainerCommon)
		case plan.CreatePod:
			return a.Pod.Spec.Containers[len(a.Pod.Spec.Containers)-1]
		}
	}
	t.Fatalf("makes nothing: %s", said(p))
	return corev1.Container{}
}

// People are asked for their approval once, and not each time that a container starts.
func TestApprovalIsAskedForWhileTheTargetDoesNotRun(t *testing.T) {
	_, v := shown(t, fixture.Pod(crashing(2)), 1)
	p := pass(t, v)
	want{phase: v1alpha1.PhasePending, reason: v1alpha1.ReasonTargetNotRunning, warns: "TargetNotRunning"}.check(t, p)
	v.session, v.target = written(v.session, p), ptr.To(plan.Found(fixture.Pod()))
	want{phase: v1alpha1.PhaseStarting}.check(t, pass(t, v))
}
