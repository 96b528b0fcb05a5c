package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// inMode is a session of a mode that was admitted at now and whose debugger is made, and what is seen of that in a state.
type inMode struct {
	session *v1alpha1.DebugSession
	sees    func(corev1.ContainerState, ...fixture.PodOption) look
}

func modes(t *testing.T, options ...fixture.SessionOption) map[v1alpha1.Mode]inMode {
	t.Helper()
	ephemeral := admitted(t, fixture.Session(options...), fixture.Pod())
	asCopy := admitted(t, fixture.Session(append([]fixture.SessionOption{fixture.AsCopy()}, options...)...), fixture.Pod())
	onNode := admittedOnNode(t, options...)
	made := func(session *v1alpha1.DebugSession, pod func() *corev1.Pod) func(corev1.ContainerState, ...fixture.PodOption) look {
		return func(state corev1.ContainerState, changes ...fixture.PodOption) look {
			p := pod()
			fixture.ContainerState(session.Status.Debugger.ContainerName, state)(p)
			for _, change := range changes {
				change(p)
			}
			return func(v *view) {
				copied(p)(v)
				freshCopy(plan.Found(p))(v)
			}
		}
	}
	return map[v1alpha1.Mode]inMode{
		v1alpha1.ModeEphemeralContainer: {ephemeral, func(state corev1.ContainerState, changes ...fixture.PodOption) look {
			p := debugged(ephemeral, state, changes...)
			return func(v *view) {
				target(p)(v)
				freshTarget(p)(v)
			}
		}},
		v1alpha1.ModePodCopy: {asCopy, made(asCopy, func() *corev1.Pod { return copyOf(t, asCopy, fixture.Pod()) })},
		v1alpha1.ModeNode:    {onNode, made(onNode, func() *corev1.Pod { return podOnNode(t, onNode) })},
	}
}

// podOnNode is the pod that the session makes on its node, as the API server has it.
func podOnNode(t *testing.T, session *v1alpha1.DebugSession) *corev1.Pod {
	t.Helper()
	p := pass(t, about(session, nodeIs(plan.Found(node(nodeUID))), copyIs(absent())))
	pod := p.Actions[len(p.Actions)-1].(plan.CreatePod).Pod.DeepCopy()
	pod.UID, pod.Status.Phase = "uid-of-made", corev1.PodRunning
	return pod
}

// Whatever ends a session whose debugger never ran, and in every mode: it says so, and why.
func TestADebuggerThatNeverRan(t *testing.T) {
	pulling := fixture.Waiting("ImagePullBackOff", pullPause)
	never := func(reason string, says string) want {
		return want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: reason, says: says}
	}
	minute := []fixture.SessionOption{fixture.TTL(time.Minute)}
	for name, tc := range map[string]struct {
		options []fixture.SessionOption
		state   corev1.ContainerState
		changes []fixture.PodOption
		at      time.Time
		ask     fixture.SessionOption
		want    want
	}{
		"its image is not there, when its ttl is over": {minute, pulling, nil, after(time.Minute), nil,
			never("ErrImagePull", pullError)},
		"its image is not there, when notAfter is over": {[]fixture.SessionOption{fixture.NotAfter(after(time.Minute))}, pulling, nil,
			after(time.Minute), nil, never("ErrImagePull", pullError)},
		"its image is not there, after five minutes": {nil, pulling, nil, after(5 * time.Minute), nil,
			never("ErrImagePull", pullError)},
		"its image was not there when its node was last heard of": {minute, corev1.ContainerState{}, nil, after(time.Minute), nil,
			never("ErrImagePull", pullError)},
		"its command is not there": {nil, fixture.Exited(now, 128, "StartError", "no such file"), nil, after(time.Second), nil,
			never("StartError", "could not start: no such file")},
		"its command is not there, seen when its ttl is over": {minute, fixture.Exited(now, 128, "StartError", "no such file"), nil,
			after(time.Minute), nil,
			never("StartError", "could not start: no such file")},
		"somebody ended it": {nil, pulling, nil, after(time.Second), fixture.End,
			want{
				phase:   v1alpha1.PhaseEnding,
				outcome: v1alpha1.OutcomeTerminated,
				reason:  "Terminated",
				says:    "spec.end was set to true; the debugger never ran: container ",
			}},
		"somebody deleted it": {nil, pulling, nil, after(time.Second), fixture.Deleted,
			want{
				phase:   v1alpha1.PhaseEnding,
				outcome: v1alpha1.OutcomeTerminated,
				reason:  "Terminated",
				says:    "; the debugger never ran: container ",
			}},
		"it began to run unseen, when its ttl is over": {minute, fixture.Running(now), nil, after(time.Minute), nil,
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired, reason: "Expired"}},
	} {
		for mode, m := range modes(t, tc.options...) {
			t.Run(name+", "+string(mode), func(t *testing.T) {
				session := written(m.session, pass(t, about(m.session, m.sees(pulling), at(after(time.Second)))), reworded)
				if tc.ask != nil {
					tc.ask(session)
				}
				p := pass(t, about(session, m.sees(tc.state, tc.changes...), at(tc.at)))
				tc.want.check(t, p)
				if message := said(p); strings.Contains(message, "retrying until") {
					t.Errorf("speaks of a next try: %s", message)
				}
				if obstacle := p.Status.Obstacle; (obstacle == nil) != (tc.want.outcome == v1alpha1.OutcomeExpired) ||
					obstacle != nil && !strings.Contains(said(p), obstacle.Message) {
					t.Errorf("the obstacle is %+v, and it says %s", obstacle, said(p))
				}
			})
		}
	}
}

// reworded is a session whose conditions say the same in other words: those are for people, and nothing is decided by them.
func reworded(session *v1alpha1.DebugSession) {
	for i := range session.Status.Conditions {
		session.Status.Conditions[i].Message = "in other words; retrying until doomsday; waiting for it"
	}
}

// Nor is what could not be made for a reason that was seen.
func TestADebuggerThatCouldNotBeMade(t *testing.T) {
	for mode, m := range modes(t) {
		if mode == v1alpha1.ModeNode {
			continue // as a copy
		}
		t.Run(string(mode), func(t *testing.T) {
			failed := withResult(t, about(m.session, target(fixture.Pod()), copyIs(absent())), plan.Result{Err: errBusy})
			if obstacle := failed.Status.Obstacle; obstacle == nil || obstacle.Reason != v1alpha1.ReasonRetrying {
				t.Errorf("the obstacle is %+v", obstacle)
			}
			p := pass(t, about(written(m.session, failed, reworded), target(fixture.Pod()), copyIs(absent()), freshCopy(absent()), at(after(plan.StartTimeout))))
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: "NotStarted", says: "could not be created in time: "}.check(t, p)
			if !strings.Contains(said(p), errBusy.Error()+"; apply a new session") {
				t.Errorf("says %s", said(p))
			}
		})
	}
}

// What kept a debugger from running is forgotten once it runs.
func TestADebuggerThatRunsHasNoObstacle(t *testing.T) {
	for mode, m := range modes(t) {
		t.Run(string(mode), func(t *testing.T) {
			waits := pass(t, about(m.session, m.sees(fixture.Waiting("ImagePullBackOff", pullPause))))
			if obstacle := waits.Status.Obstacle; obstacle == nil || obstacle.Reason != "ErrImagePull" || strings.Contains(obstacle.Message, "retrying until") {
				t.Errorf("the obstacle is %+v", obstacle)
			}
			if runs := pass(t, about(written(m.session, waits), m.sees(fixture.Running(now)))); runs.Status.Obstacle != nil {
				t.Errorf("the obstacle is still %+v", runs.Status.Obstacle)
			}
		})
	}
}

// Of one that nothing is known of, not even that is.
func TestADebuggerThatNeverRanForNoKnownReason(t *testing.T) {
	for mode, m := range modes(t, fixture.TTL(time.Minute)) {
		t.Run(string(mode), func(t *testing.T) {
			p := pass(t, about(m.session, m.sees(corev1.ContainerState{}), at(after(time.Minute))))
			want{
				phase:   v1alpha1.PhaseEnding,
				outcome: v1alpha1.OutcomeNotStarted,
				reason:  "NotStarted",
				says:    "the debugger never ran: the session expired at",
			}.check(t, p)
		})
	}
}

// A pod that its node refuses or ends before the debugger in it ran.
func TestAPodInWhichTheDebuggerNeverRan(t *testing.T) {
	for mode, m := range modes(t) {
		if mode == v1alpha1.ModeEphemeralContainer {
			continue
		}
		waits := fixture.Waiting("ContainerCreating", "")
		for reason, want := range map[string]want{
			"Evicted": {
				phase:   v1alpha1.PhaseEnding,
				outcome: v1alpha1.OutcomeNotStarted,
				reason:  "Gone",
				says:    "the debugger never ran: pod ",
			},
			"OutOfcpu": {phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: "Gone", says: "OutOfcpu"},
			"DeadlineExceeded": {
				phase:   v1alpha1.PhaseEnding,
				outcome: v1alpha1.OutcomeNotStarted,
				reason:  "NotStarted",
				says:    "hard deadline",
			},
		} {
			t.Run(reason+", "+string(mode), func(t *testing.T) {
				want.check(t, pass(t, about(m.session, m.sees(waits, fixture.Finished(corev1.PodFailed, reason, "")))))
			})
		}
	}
}

// The end of a session that never ran is written before what may still start is gone. Should it start, the record is true.
func TestADebuggerThatBeganWhenItsTimeWasUp(t *testing.T) {
	for mode, m := range modes(t, fixture.TTL(time.Minute)) {
		if mode == v1alpha1.ModeNode {
			continue // as a copy
		}
		t.Run(string(mode), func(t *testing.T) {
			session := m.session
			for i, state := range []corev1.ContainerState{
				fixture.Waiting("ContainerCreating", ""), fixture.Running(after(time.Minute)),
				fixture.Exited(after(2*time.Minute), 143, "Error", ""),
			} {
				session = written(session, pass(t, about(session, m.sees(state), at(after(time.Minute)))))
				if i == 0 && meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionEnded).Reason != "NotStarted" {
					t.Fatal("this test is about one that had not started")
				}
			}
			p := pass(t, about(session, copyIs(absent()), freshCopy(absent()), at(after(2*time.Minute)), func(v *view) {
				m.sees(corev1.ContainerState{})(v)
				v.copied, v.freshCopy = new(absent()), new(absent())
			}))
			if session.Status.Phase != v1alpha1.PhaseEnded {
				session = written(session, p)
			}
			if session.Status.Outcome != v1alpha1.OutcomeExpired || session.Status.Debugger.StartedAt == nil {
				t.Errorf("came to %s, %+v", session.Status.Outcome, session.Status.Debugger)
			}
		})
	}
}

// Kubernetes cannot remove an ephemeral container, but one whose deadline has passed starts nothing.
func TestAnEphemeralDebuggerThatNeverRanIsOverAtItsDeadline(t *testing.T) {
	m := modes(t, fixture.TTL(time.Minute))[v1alpha1.ModeEphemeralContainer]
	v := about(m.session, m.sees(fixture.Waiting("ErrImagePull", pullError)), at(after(time.Minute)))
	v.session = written(m.session, pass(t, v))
	p := pass(t, v)
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeNotStarted, reason: "ErrImagePull", says: pullError,
		warns: "NotStarted"}.check(t, p)
	if !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionStalled) ||
		!meta.IsStatusConditionFalse(p.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("its conditions are %v", p.Status.Conditions)
	}
}

// A target that went before its debugger ran leaves nothing that was done.
func TestATargetThatWentBeforeItsDebuggerRan(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	v := about(session, targetIs(absent()))
	v.session = written(session, pass(t, v))
	v.freshTarget = new(absent())
	p := pass(t, v)
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTargetGone, says: "the debugger never ran", warns: "TargetGone"}.check(t, p)
}

// A session that waited until its notAfter did not do what it was for.
func TestNotAfterEndsWhatWaits(t *testing.T) {
	session := fixture.Session(fixture.NotAfter(after(time.Minute)))
	session.Finalizers = []string{v1alpha1.Finalizer}
	session = written(session, pass(t, about(session, targetIs(absent()))), reworded)
	p := pass(t, about(session, at(after(time.Minute))))
	want{
		phase:   v1alpha1.PhaseEnded,
		outcome: v1alpha1.OutcomeNotStarted,
		reason:  "TargetNotFound",
		says:    `nothing was started: there is no pod "web" in namespace "shop"`,
		warns:   "NotStarted",
	}.check(t, p)
}
