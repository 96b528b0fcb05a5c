package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func gone(reason, says string) want {
	return want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone, reason: reason, says: says}
}

// A node that was restarted may say nothing of a container that runs on, for a while.
func TestNothingIsSaidOfADebuggerThatRuns(t *testing.T) {
	session, _ := active(t)
	for _, when := range []time.Time{after(time.Second), after(2 * time.Minute), after(10 * time.Minute)} {
		p := pass(t, about(session, target(debugged(session, corev1.ContainerState{})), at(when)))
		want{phase: v1alpha1.PhaseActive, wakes: session.Status.ExpiresAt.Time}.check(t, p)
		quiet(t, session, p)
	}
}

func TestMakeEphemeral(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	startBy := after(plan.StartTimeout)
	for name, tc := range map[string]struct {
		target plan.Observed[*corev1.Pod]
		at     time.Time
		want   want
	}{
		"as recorded": {
			plan.Found(fixture.Pod()),
			now,
			want{phase: v1alpha1.PhaseStarting, does: "InjectDebugger", wakes: startBy},
		},
		"at the last moment": {
			plan.Found(fixture.Pod()),
			startBy.Add(-1),
			want{phase: v1alpha1.PhaseStarting, does: "InjectDebugger", wakes: startBy},
		},
		"too late": {
			plan.Found(fixture.Pod()),
			startBy,
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: "NotStarted"},
		},
		"not into another pod": {plan.Found(fixture.Pod(fixture.UID(fixture.OtherUID))), now, gone("TargetGone", "was replaced")},
		"not into a finished pod": {
			plan.Found(fixture.Pod(fixture.Finished(corev1.PodFailed, "Evicted", "The node was low on memory"))),
			now,
			gone("TargetFinished", "Evicted: The node was low on memory"),
		},
		"not into one that goes": {plan.Found(fixture.Pod(fixture.Terminating)), now, gone("TargetTerminating", "being deleted")},
		"not into none":          {absent(), now, gone("TargetGone", `pod "web" is gone`)},
		"not into the unknown":   {unknown(), now, want{phase: v1alpha1.PhaseStarting, retries: true}},
		"not before it is seen":  {awaited(), now, want{phase: v1alpha1.PhaseStarting}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, targetIs(tc.target), at(tc.at)))
			tc.want.check(t, p)
		})
	}
}

// A watch begins with what the API server has at hand, which may be how things were before.
func TestWhatTheWatchShowsOfBeforeEndsNothing(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	startBy := after(plan.StartTimeout)
	for name, tc := range map[string]struct {
		seen, is *corev1.Pod
		at       time.Time
		want     want
	}{
		"another pod of its name": {fixture.Pod(fixture.UID(fixture.OtherUID)), fixture.Pod(), now,
			want{phase: v1alpha1.PhaseStarting, does: "InjectDebugger", wakes: startBy}},
		"no debugger in it": {fixture.Pod(), debugged(session, fixture.Running(now)), startBy,
			want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := about(session, target(tc.seen), at(tc.at))
			v.freshTarget = new(plan.Found(tc.is))
			tc.want.check(t, pass(t, v))
		})
	}
}

func TestMakeCopy(t *testing.T) {
	session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
	startBy := after(plan.StartTimeout)
	none := absent()
	for name, tc := range map[string]struct {
		copied plan.Observed[*corev1.Pod]
		target *plan.Observed[*corev1.Pod]
		at     time.Time
		want   want
	}{
		"as recorded": {none, new(plan.Found(fixture.Pod())), now,
			want{phase: v1alpha1.PhaseStarting, does: "CreatePod", wakes: startBy}},
		"of one that goes": {none, new(plan.Found(fixture.Pod(fixture.Terminating))), now,
			want{phase: v1alpha1.PhaseStarting, does: "CreatePod", wakes: startBy}},
		"of one that failed": {none, new(plan.Found(fixture.Pod(fixture.Finished(corev1.PodFailed, "", "")))), now,
			want{phase: v1alpha1.PhaseStarting, does: "CreatePod", wakes: startBy}},
		"too late": {none, nil, startBy,
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: "NotStarted"}},
		"not of another pod": {none, new(plan.Found(fixture.Pod(fixture.UID(fixture.OtherUID)))), now,
			gone("TargetGone", "was replaced")},
		"not of none":             {none, new(absent()), now, gone("TargetGone", `pod "web" is gone`)},
		"not of the unknown":      {none, new(unknown()), now, want{phase: v1alpha1.PhaseStarting, retries: true}},
		"not before it is seen":   {none, new(awaited()), now, want{phase: v1alpha1.PhaseStarting}},
		"not before one has seen": {awaited(), nil, now, want{phase: v1alpha1.PhaseStarting}},
		"not if it may be there":  {unknown(), nil, now, want{phase: v1alpha1.PhaseStarting, retries: true}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, copyIs(tc.copied), at(tc.at), func(v *view) { v.target = tc.target }))
			tc.want.check(t, p)
		})
	}
}

// A pod that has the copy's name is not this session's, whatever its labels and annotations say.
func TestAForeignPodIsNotTheCopy(t *testing.T) {
	session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
	foreign := fixture.Pod(fixture.Named(session.Status.Debugger.PodName), func(p *corev1.Pod) {
		p.Labels = map[string]string{v1alpha1.LabelSessionUID: string(session.UID)}
		p.Annotations = map[string]string{v1alpha1.AnnotationSession: session.Name}
	})
	p := pass(t, about(session, copied(foreign)))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRejected, reason: "NameTaken", says: "was left untouched"}.check(t, p)

	p = pass(t, about(written(session, p), copied(foreign)))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, warns: "Rejected"}.check(t, p) // and nothing is deleted

	controlled := foreign.DeepCopy() // by who may patch pods
	controlled.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession", Name: session.Name, UID: session.UID, Controller: new(true),
	}}
	p = pass(t, about(session, copied(controlled)))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRejected, reason: "NameTaken"}.check(t, p)
}

func TestActive(t *testing.T) {
	session, pod := active(t)
	name := session.Status.Debugger.ContainerName
	if want := "kubectl attach -it -n shop web -c " + name; session.Status.Attach != want {
		t.Errorf("attach is %q, want %q", session.Status.Attach, want)
	}
	if d := session.Status.Debugger; d.Image != fixture.Image || d.ImageID != fixture.ImageID || !d.StartedAt.Time.Equal(now) ||
		d.State != v1alpha1.DebuggerRunning {
		t.Errorf("recorded %+v", d)
	}
	quiet(t, session, pass(t, about(session, target(pod), at(after(time.Minute)))))

	for name, tc := range map[string]struct {
		debugger v1alpha1.Debugger
		want     string
	}{
		"stdin":    {v1alpha1.Debugger{Image: "i", Command: []string{"sh"}, Stdin: true}, "kubectl attach -i -n shop web -c "},
		"no stdin": {v1alpha1.Debugger{Image: "i", Command: []string{"sh"}}, "kubectl logs -f -n shop web -c "},
	} {
		t.Run(name, func(t *testing.T) {
			session, _ := active(t, func(s *v1alpha1.DebugSession) { s.Spec.Debugger = tc.debugger })
			if got := session.Status.Attach; got != tc.want+session.Status.Debugger.ContainerName {
				t.Errorf("attach is %q, want %q", got, tc.want)
			}
		})
	}
}

func TestActiveEphemeral(t *testing.T) {
	session, pod := active(t, fixture.TTL(time.Hour))
	expires := after(time.Hour)
	for name, tc := range map[string]struct {
		target plan.Observed[*corev1.Pod]
		want   want
	}{
		"goes on":          {plan.Found(pod), want{phase: v1alpha1.PhaseActive, wakes: expires}},
		"unknown: goes on": {unknown(), want{phase: v1alpha1.PhaseActive, retries: true, wakes: expires}},
		"awaited: goes on": {awaited(), want{phase: v1alpha1.PhaseActive, wakes: expires}},
		"while its pod goes": {
			plan.Found(debugged(session, fixture.Running(now), fixture.Terminating)),
			want{phase: v1alpha1.PhaseActive, wakes: expires},
		},
		"until its pod has gone": {absent(), gone("TargetGone", "is gone")},
		"until it is another":    {plan.Found(fixture.Pod(fixture.UID(fixture.OtherUID))), gone("TargetGone", string(fixture.OtherUID))},
		"until its pod has ended": {
			plan.Found(debugged(session, fixture.Running(now), fixture.Finished(corev1.PodSucceeded, "", ""))),
			gone("TargetFinished", "(Succeeded)"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.check(t, pass(t, about(session, targetIs(tc.target), at(after(10*time.Minute)))))
		})
	}
}

func TestActiveCopy(t *testing.T) {
	session, made := activeCopy(t, fixture.TTL(time.Hour))
	name := session.Status.Debugger.ContainerName
	with := func(changes ...fixture.PodOption) *corev1.Pod {
		pod := made.DeepCopy()
		for _, change := range changes {
			change(pod)
		}
		return pod
	}
	terminated := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated, reason: "Gone", says: "somebody deleted the copy"}
	goesOn := want{phase: v1alpha1.PhaseActive, wakes: after(time.Hour)}
	disowned := func(p *corev1.Pod) { p.OwnerReferences = nil }
	for what, tc := range map[string]struct {
		looks []look
		want  want
	}{
		"goes on":          {[]look{copied(made)}, goesOn},
		"unknown: goes on": {[]look{copyIs(unknown())}, want{phase: v1alpha1.PhaseActive, retries: true}},
		"awaited: goes on": {[]look{copyIs(awaited())}, goesOn},
		"not in the cache: goes on": {
			[]look{copyIs(absent()), freshCopy(plan.Found(made))},
			want{phase: v1alpha1.PhaseActive, wakes: after(10*time.Minute + 15*time.Second)},
		},
		"nor to be read: goes on": {[]look{copyIs(absent()), freshCopy(unknown())}, want{phase: v1alpha1.PhaseActive, retries: true}},
		"disowned: goes on":       {[]look{copied(with(disowned))}, goesOn},
		"deleted":                 {[]look{copyIs(absent()), freshCopy(absent())}, terminated},
		"being deleted":           {[]look{copied(with(fixture.Terminating))}, terminated},
		"replaced":                {[]look{copied(with(disowned, fixture.UID(fixture.OtherUID)))}, terminated},
		"at its hard deadline": {
			[]look{copied(with(fixture.Finished(corev1.PodFailed, "DeadlineExceeded", "")))},
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired},
		},
		"evicted": {
			[]look{copied(with(fixture.Finished(corev1.PodFailed, "Evicted", "The node was low on memory")))},
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeFailed, says: "The node was low on memory"},
		},
		"evicted, and so terminated": {
			[]look{
				copied(with(fixture.Finished(corev1.PodFailed, "Evicted", "The node was low on memory"),
					fixture.ContainerState(name, fixture.Exited(now, 137, "Error", "")))),
			},
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeFailed, says: "The node was low on memory"},
		},
		"failed, as its command did": {[]look{
			copied(with(fixture.Finished(corev1.PodFailed, "", ""), fixture.ContainerState(name, fixture.Exited(now, 2, "Error", "")))),
		}, want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted, says: "exit code 2"}},
	} {
		t.Run(what, func(t *testing.T) {
			tc.want.check(t, pass(t, about(session, append(tc.looks, at(after(10*time.Minute)))...)))
		})
	}
	if session.Status.Debugger.PodUID != made.UID {
		t.Errorf("the copy's UID was not recorded: %+v", session.Status.Debugger)
	}
}

// Whoever asks for the end gets it, and nothing has to be seen for that. Later asks change nothing.
func TestAskedToEnd(t *testing.T) {
	starting := admitted(t, fixture.Session(), fixture.Pod())
	running, _ := active(t)
	runningCopy, _ := activeCopy(t)
	for name, tc := range map[string]struct {
		ask  func(*v1alpha1.DebugSession)
		says string
	}{"end: true": {fixture.End, "spec.end was set to true"}, "deleted": {fixture.Deleted, "the session was deleted"}} {
		for _, session := range []*v1alpha1.DebugSession{starting, running, runningCopy} {
			t.Run(name+" "+string(session.Status.Phase)+" "+string(session.Spec.Mode), func(t *testing.T) {
				session := written(session, plan.Plan{Status: session.Status}, tc.ask)
				p := pass(t, about(session, silent))
				want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated, says: tc.says}.check(t, p)
				if p.Status.Attach != "" {
					t.Errorf("attach still is %q", p.Status.Attach)
				}
			})
		}
	}
}

func TestExpiry(t *testing.T) {
	running, _ := active(t, fixture.TTL(time.Minute))
	runningCopy, _ := activeCopy(t, fixture.TTL(time.Minute))
	for _, session := range []*v1alpha1.DebugSession{running, runningCopy} {
		t.Run(string(session.Status.Phase)+" "+string(session.Spec.Mode), func(t *testing.T) {
			p := pass(t, about(session, at(after(time.Minute)))) // sees nothing
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired, reason: "Expired"}.check(t, p)
		})
	}
}

// A finalizer that somebody took away comes back before anything is made.
func TestNothingIsMadeWithoutTheFinalizer(t *testing.T) {
	for _, options := range [][]fixture.SessionOption{nil, {fixture.AsCopy()}} {
		session := admitted(t, fixture.Session(options...), fixture.Pod())
		session.Finalizers = []string{"example.com/theirs"}
		p := pass(t, about(session, copyIs(absent()))) // sees no target
		want{phase: v1alpha1.PhaseStarting, does: "AddFinalizer"}.check(t, p)
	}
}

func TestNotStartedInTime(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	late := at(after(plan.StartTimeout))
	for name, tc := range map[string]struct {
		state  corev1.ContainerState
		reason string
		says   string
	}{
		"no word":    {corev1.ContainerState{}, "NotStarted", "not running after 5m:"},
		"in trouble": {fixture.Waiting("ErrImagePull", pullError), "ErrImagePull", pullError},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, target(debugged(session, tc.state)), late))
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: tc.reason, says: tc.says}.check(t, p)
		})
	}
}

// What could not be made because of something else than time is told with that.
func TestNotMadeInTimeSaysWhy(t *testing.T) {
	for name, options := range map[string][]fixture.SessionOption{"ephemeral": nil, "copy": {fixture.AsCopy()}} {
		t.Run(name, func(t *testing.T) {
			session := admitted(t, fixture.Session(options...), fixture.Pod())
			v := about(session, target(fixture.Pod()), copyIs(absent()))
			p := pass(t, v, plan.Result{Action: pass(t, v).Actions[0], Err: errOffline})
			want{phase: v1alpha1.PhaseStarting, reason: "Retrying", does: does(p), retries: true, warns: "Retrying"}.check(t, p)
			p = pass(t, about(written(session, p), target(fixture.Pod()), copyIs(absent()), at(after(plan.StartTimeout))))
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, says: errOffline.Error()}.check(t, p)
		})
	}
}

// Two sessions on one pod see each their own debugger.
func TestTwoSessionsOnOnePod(t *testing.T) {
	one, pod := active(t)
	two := admitted(t, fixture.Session(func(s *v1alpha1.DebugSession) { s.Name, s.UID = "hang-2", fixture.OtherUID }), pod)
	if debugpod.ContainerName(one.UID) == two.Status.Debugger.ContainerName {
		t.Fatal("both debuggers have one name")
	}
	p := pass(t, about(two, target(pod)))
	want{phase: v1alpha1.PhaseStarting, does: "InjectDebugger"}.check(t, p)
}
