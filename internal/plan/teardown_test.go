package plan_test

import (
	"slices"
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
)

// soon is when a debugger that resists its end is looked at again.
var soon = after(15 * time.Second)

func isOver(says string) want {
	return want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated, says: says}
}

func TestTeardownEphemeral(t *testing.T) {
	session, pod := active(t)
	session = ending(t, session)
	started := admitted(t, fixture.Session(), fixture.Pod())
	started = ending(t, started)

	running := plan.Found(pod)
	exited := plan.Found(debugged(session, fixture.Exited(now, 143, "Error", "")))
	bare := plan.Found(fixture.Pod())
	waiting := plan.Found(debugged(session, corev1.ContainerState{}))
	another := plan.Found(fixture.Pod(fixture.UID(fixture.OtherUID)))
	stops := want{phase: v1alpha1.PhaseEnding, does: "StopDebugger", wakes: soon}
	waits := want{phase: v1alpha1.PhaseEnding, wakes: soon}
	blind := want{phase: v1alpha1.PhaseEnding, retries: true}
	never := after(plan.StartTimeout)

	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		target  plan.Observed[*corev1.Pod]
		fresh   *plan.Observed[*corev1.Pod] // nil: must not be asked for
		at      time.Time
		want    want
	}{
		"running": {session, running, nil, now, stops},
		"running, in a pod that goes": {session, plan.Found(debugged(session, fixture.Running(now), fixture.Terminating)),
			nil, now, stops},
		"terminated": {session, exited, nil, now, isOver("its container has terminated")},
		"finished, with its pod": {session, plan.Found(debugged(session, fixture.Running(now), fixture.Finished(corev1.PodFailed, "", ""))),
			nil, now, isOver("its pod has finished")},
		"gone":                         {session, absent(), new(absent()), now, isOver("its pod is gone")},
		"gone, only for the watch":     {session, absent(), &running, now, stops},
		"gone, nobody knows":           {session, absent(), new(unknown()), now, blind},
		"replaced":                     {session, another, &another, now, isOver("its pod is gone")},
		"replaced, only for the watch": {session, another, &running, now, stops},
		"never made":                   {started, bare, &bare, now, isOver("nothing was created")},
		"made after all":               {started, bare, &waiting, now, waits},
		"unknown":                      {session, unknown(), new(unknown()), now, blind},
		"unknown to the watch":         {session, unknown(), &exited, now, isOver("its container has terminated")},
		"not seen yet":                 {session, awaited(), nil, now, want{phase: v1alpha1.PhaseEnding}},
		"yet to start":                 {started, waiting, nil, now, waits},
		"yet to start, just before it cannot": {started, waiting, nil, never.Add(-time.Second),
			want{phase: v1alpha1.PhaseEnding, wakes: never}},
		"cannot start any more": {started, waiting, &waiting, never, isOver("never started")},
		"ran, and nothing is said of it": {session, waiting, nil, never,
			want{phase: v1alpha1.PhaseEnding, does: "StopDebugger", warns: "StillRunning", wakes: never.Add(15 * time.Second)}},
		"started, as the watch has not seen":  {started, waiting, &running, never, want{phase: v1alpha1.PhaseEnding, does: "StopDebugger"}},
		"cannot be seen when it cannot start": {started, waiting, new(unknown()), never, blind},
	} {
		t.Run(name, func(t *testing.T) {
			v := about(tc.session, targetIs(tc.target), at(tc.at))
			if tc.fresh != nil {
				v.freshTarget = tc.fresh
			} else {
				v.staleOnly = true
			}
			tc.want.check(t, pass(t, v))
		})
	}
}

// What failed of an end is tried again within two seconds, however often it has failed before, and an end that was written down is
// carried out although no watch tells of it.
func TestWhatIsOverdueIsTriedAgainSoon(t *testing.T) {
	session, pod := active(t)
	asked := session.DeepCopy()
	asked.Spec.End = true
	p := pass(t, about(asked, target(pod)))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated, wakes: after(time.Second)}.check(t, p)

	copySession, made := activeCopy(t)
	for does, v := range map[string]view{
		"StopDebugger": about(ending(t, session), target(pod)),
		"DeletePod":    about(ending(t, copySession), copied(made)),
	} {
		for why, result := range map[string]plan.Result{
			"an error":  {Err: errOffline},
			"a refusal": {Refusal: &plan.Refusal{Reason: v1alpha1.ReasonRefused, Message: "forbidden"}},
		} {
			t.Run(does+", "+why, func(t *testing.T) {
				for _, action := range pass(t, v).Actions {
					result.Action = action
					want{
						phase:   v1alpha1.PhaseEnding,
						does:    does,
						warns:   "StillRunning",
						retries: true,
						wakes:   after(2 * time.Second),
					}.check(t, pass(t, v, result))
				}
			})
		}
	}
	unseen := about(ending(t, session), targetIs(unknown()))
	unseen.freshTarget = new(unknown())
	want{phase: v1alpha1.PhaseEnding, retries: true, wakes: after(2 * time.Second)}.check(t, pass(t, unseen))
}

func TestStopSweepsTheRecordedContainer(t *testing.T) {
	session, pod := active(t)
	session = ending(t, session)
	stop := pass(t, about(session, target(pod))).Actions[0].(plan.StopDebugger)
	if stop.Pod.String() != "shop/web" || stop.UID != fixture.PodUID || stop.Container != session.Status.Debugger.ContainerName ||
		!slices.Equal(stop.Command, debugpod.KillCommand()) {
		t.Errorf("stops %+v", stop)
	}
}

// What is executed in a debugger's container may say that all is well: its shell is its owner's.
func TestADebuggerThatRunsOnAfterItsEndIsReported(t *testing.T) {
	session, pod := active(t)
	session = ending(t, session)
	p := pass(t, about(session, target(pod), at(after(14*time.Second))))
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger"}.check(t, p)
	if ready := meta.FindStatusCondition(p.Status.Conditions,
		v1alpha1.ConditionDebuggerReady); ready.Reason == v1alpha1.ReasonStillRunning {
		t.Errorf("says %q of one that was told a moment ago", ready.Message)
	}

	late := about(session, target(pod), at(soon))
	p = pass(t, late)
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger", warns: "StillRunning", wakes: soon.Add(15 * time.Second)}.check(t, p)
	ready := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionDebuggerReady)
	if name := session.Status.Debugger.ContainerName; ready.Reason != v1alpha1.ReasonStillRunning ||
		ready.Message != "see condition Ready" ||
		!strings.Contains(p.Status.Message(), name) {
		t.Errorf("says %s: %s; %s", ready.Reason, ready.Message, p.Status.Message())
	}
	late.session, late.now = written(session, p), soon.Add(15*time.Second)
	quiet(t, late.session, pass(t, late))

	failed := written(session, withResult(t, late, plan.Result{Err: errBusy}))
	late.session = failed
	quiet(t, failed, pass(t, late)) // why it resists is not forgotten while it is not told again
}

// Which pod was made is on record before it is deleted, also if nothing of it was written before the session's end.
func TestTheEndOfWhatStartsNamesItsPod(t *testing.T) {
	started := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
	_, made := activeCopy(t)
	seen := started.DeepCopy()
	fixture.End(seen)
	for name, p := range map[string]plan.Plan{
		"that was just made": withResult(t, about(started, target(fixture.Pod()), copyIs(absent())), plan.Result{Made: made.UID}),
		"that was seen":      pass(t, about(seen, copyIs(plan.Found(made)))),
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.Status.Debugger.PodUID; got != made.UID {
				t.Errorf("the pod's UID is %q, want %q", got, made.UID)
			}
		})
	}
}

func TestTeardownCopy(t *testing.T) {
	session, made := activeCopy(t)
	session = ending(t, session)
	started := ending(t, admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod()))
	with := func(changes ...fixture.PodOption) plan.Observed[*corev1.Pod] {
		pod := made.DeepCopy()
		for _, change := range changes {
			change(pod)
		}
		return plan.Found(pod)
	}
	disowned := func(p *corev1.Pod) { p.OwnerReferences = nil }
	finished := fixture.Finished(corev1.PodSucceeded, "", "")
	deletes := want{phase: v1alpha1.PhaseEnding, does: "DeletePod", wakes: soon}
	deletedAt := func(ago time.Duration) fixture.PodOption {
		return func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.NewTime(now.Add(-ago))) }
	}
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		is      plan.Observed[*corev1.Pod]
		want    want
	}{
		"there":                       {session, with(), deletes},
		"there, and finished":         {session, with(finished), deletes},
		"there, and orphaned":         {session, with(disowned), deletes},
		"there, and not recorded yet": {started, with(), deletes},
		"being deleted":               {session, with(deletedAt(0)), want{phase: v1alpha1.PhaseEnding, wakes: soon}},
		"deleted for long":            {session, with(deletedAt(15 * time.Second)), want{phase: v1alpha1.PhaseEnding, wakes: soon}},
		"held by others": {
			session,
			with(fixture.Terminating, fixture.HeldBy("example.com/hold")),
			want{phase: v1alpha1.PhaseEnding, wakes: soon},
		},
		"gone":                       {session, absent(), isOver("the copy is gone")},
		"never made":                 {started, absent(), isOver("the copy is gone")},
		"a foreign pod":              {started, with(disowned), isOver("the copy is gone")},
		"replaced":                   {session, with(disowned, fixture.UID(fixture.OtherUID)), isOver("the copy is gone")},
		"replaced, and claimed ours": {session, with(fixture.UID(fixture.OtherUID)), isOver("the copy is gone")},
		"unknown":                    {session, unknown(), want{phase: v1alpha1.PhaseEnding, retries: true}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(tc.session, copyIs(tc.is)))
			tc.want.check(t, p)
			resists := name == "held by others" || name == "deleted for long"
			if ready := meta.FindStatusCondition(p.Status.Conditions,
				v1alpha1.ConditionDebuggerReady); (ready.Reason == v1alpha1.ReasonStillRunning) != resists {
				t.Errorf("that it resists: %t, and is told as %s", resists, ready.Reason)
			}
			if len(p.Actions) == 1 {
				if d := p.Actions[0].(plan.DeletePod); d.UID != made.UID || d.Pod.Name != made.Name || d.GraceSeconds != 1 {
					t.Errorf("deletes %+v", d)
				}
			}
			if name == "held by others" {
				ready := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionDebuggerReady)
				const held = `spec.end was set to true; copy "web-debug-k0y0y" is being deleted; ` +
					`it is held by finalizers set by others: example.com/hold`
				if ready.Reason != "StillRunning" || ready.Message != "see condition Ready" || p.Status.Message() != held {
					t.Errorf("says %s: %s; %s", ready.Reason, ready.Message, p.Status.Message())
				}
			}
		})
	}
}

// The cache may not have seen yet what was created: only the API server can say that nothing is there.
func TestTeardownOfACopyThatTheCacheHasNotSeen(t *testing.T) {
	session, made := activeCopy(t)
	session = ending(t, session)
	for name, cached := range map[string]plan.Observed[*corev1.Pod]{
		"nothing": absent(),
		"another": plan.Found(fixture.Pod(fixture.Named(made.Name), fixture.UID(fixture.OtherUID))),
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, copyIs(cached), freshCopy(plan.Found(made))))
			want{phase: v1alpha1.PhaseEnding, does: "DeletePod", wakes: soon}.check(t, p)
			p = pass(t, about(session, copyIs(cached), freshCopy(absent())))
			isOver("the copy is gone").check(t, p)
		})
	}
}

// How a session ends was written when its end began, and is what the record says.
func TestTheOutcomeIsTheOneThatWasWritten(t *testing.T) {
	session, _ := active(t, fixture.TTL(time.Minute))
	session = written(session, pass(t, about(session, at(after(time.Minute)))), fixture.Deleted, fixture.End)
	p := pass(t, about(session, targetIs(absent()), at(after(time.Hour))))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeExpired, reason: "Expired"}.check(t, p)
	if !p.Status.EndedAt.Time.Equal(after(time.Hour)) {
		t.Errorf("endedAt is %s", p.Status.EndedAt)
	}
	if p.Status.Debugger.State != v1alpha1.DebuggerTerminated {
		t.Errorf("the debugger is recorded as %s", p.Status.Debugger.State)
	}
}

// The finalizer goes in the pass after the end was written down. Nothing is asked and nothing comes after.
func TestAnEndedSessionRests(t *testing.T) {
	session, _ := active(t)
	session = ending(t, session)
	p := pass(t, about(session, targetIs(absent())))
	want{phase: v1alpha1.PhaseEnded}.check(t, p) // and the finalizer stays
	session = written(session, p)

	p = pass(t, about(session, silent))
	want{phase: v1alpha1.PhaseEnded, does: "RemoveFinalizer"}.check(t, p)
	quiet(t, session, p)
	session.Finalizers = []string{"example.com/theirs"}
	for name, change := range map[string]fixture.SessionOption{
		"": func(*v1alpha1.DebugSession) {}, "end": fixture.End, "deleted": fixture.Deleted, "longer": fixture.TTL(24 * time.Hour),
		"end set back": func(s *v1alpha1.DebugSession) { s.Spec.End = false },
		"finalizer":    func(s *v1alpha1.DebugSession) { s.Finalizers = nil },
	} {
		t.Run(name, func(t *testing.T) {
			session := written(session, plan.Plan{Status: session.Status}, change)
			for _, when := range []time.Time{now.Add(-time.Hour), now, after(1000 * time.Hour)} { // whatever the clock says
				p := pass(t, about(session, at(when), silent))
				want{phase: v1alpha1.PhaseEnded}.check(t, p)
				quiet(t, session, p)
			}
		})
	}
}
