package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// endWarnings has a class warn so long before the end.
func endWarnings(before ...time.Duration) func(*v1alpha1.DebugClassSpec) {
	return func(c *v1alpha1.DebugClassSpec) {
		for _, d := range before {
			c.EndWarnings = append(c.EndWarnings, metav1.Duration{Duration: d})
		}
	}
}

// ofClass is a view of a session that is not admitted yet.
func ofClass(class *v1alpha1.DebugClass) look {
	return func(v *view) { v.class = new(plan.Found(class)) }
}

// warnedActive is an active session of a class that warns 5 minutes and a minute before the end, in any mode.
func warnedActive(t *testing.T, copies bool, options ...fixture.SessionOption) (*v1alpha1.DebugSession, look) {
	t.Helper()
	session := fixture.Session(options...)
	if copies {
		fixture.AsCopy()(session)
	}
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, target(fixture.Pod()), copyIs(absent()), ofClass(fixture.Class(endWarnings(time.Minute, 5*time.Minute)))))
	session = written(session, p)
	seen := target(debugged(session, fixture.Running(now)))
	if copies {
		seen = copied(copyOf(t, session, fixture.Pod(),
			fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Running(now))))
	}
	p = pass(t, about(session, seen, accessIs(plan.AccessGranted)))
	want{phase: v1alpha1.PhaseActive}.check(t, p)
	return written(session, p), seen
}

// endingSoon are the notes of the warnings that a pass sends.
func endingSoon(p plan.Plan) (notes []string) {
	for _, e := range p.Events {
		if e.Reason == v1alpha1.ReasonEndingSoon {
			notes = append(notes, e.Note)
		}
	}
	return notes
}

// Each warning is sent once, at its time, and nothing is looked at between them; also by an operator that was restarted, or that was not
// there when it was due.
func TestEndWarnings(t *testing.T) {
	for name, tc := range map[string]struct {
		ttl     time.Duration
		looks   []time.Duration
		warns   []string // for each look, what the warning says, if there is one
		wakes   []time.Duration
		ofCopy  bool
		options []fixture.SessionOption
	}{
		"in time": {ttl: 30 * time.Minute,
			looks: []time.Duration{time.Minute, 25 * time.Minute, 26 * time.Minute, 29 * time.Minute, 29*time.Minute + time.Second},
			warns: []string{"", "ends in 5m, at ", "", "ends in 1m, at ", ""},
			wakes: []time.Duration{25 * time.Minute, 29 * time.Minute, 29 * time.Minute, 30 * time.Minute, 30 * time.Minute}},
		"of a copy": {ttl: 30 * time.Minute, ofCopy: true,
			looks: []time.Duration{time.Minute, 25 * time.Minute, 29 * time.Minute},
			warns: []string{"", "ends in 5m, at ", "ends in 1m, at "},
			wakes: []time.Duration{25 * time.Minute, 29 * time.Minute, 30 * time.Minute}},
		"late": {ttl: 30 * time.Minute, looks: []time.Duration{27 * time.Minute, 29*time.Minute + 30*time.Second},
			warns: []string{"ends in 3m, at ", "ends in 30s, at "}, wakes: []time.Duration{29 * time.Minute, 30 * time.Minute}},
		"very late": {ttl: 30 * time.Minute, looks: []time.Duration{29*time.Minute + 30*time.Second, 29*time.Minute + 31*time.Second},
			warns: []string{"ends in 30s, at ", ""}, wakes: []time.Duration{30 * time.Minute, 30 * time.Minute}},
		"shorter than a warning": {ttl: 5 * time.Minute, looks: []time.Duration{time.Second, 4 * time.Minute},
			warns: []string{"", "ends in 1m, at "}, wakes: []time.Duration{4 * time.Minute, 5 * time.Minute}},
		"shorter than each": {
			ttl:   30 * time.Second,
			looks: []time.Duration{time.Second},
			warns: []string{""},
			wakes: []time.Duration{30 * time.Second},
		},
		"as long as it can be": {ttl: 30 * time.Minute, options: []fixture.SessionOption{fixture.NotAfter(after(20 * time.Minute))},
			looks: []time.Duration{15 * time.Minute}, warns: []string{"it cannot be extended"}, wakes: []time.Duration{19 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			session, seen := warnedActive(t, tc.ofCopy, append(tc.options, fixture.TTL(tc.ttl))...)
			for i, look := range tc.looks {
				p := pass(t, about(session, seen, accessIs(plan.AccessGranted), at(after(look))))
				want{phase: v1alpha1.PhaseActive, wakes: after(tc.wakes[i])}.check(t, p)
				notes := endingSoon(p)
				if (len(notes) == 1) != (tc.warns[i] != "") || len(notes) > 1 ||
					len(notes) == 1 && !strings.Contains(notes[0], tc.warns[i]) {
					t.Errorf("after %s: %q, want %q", look, notes, tc.warns[i])
				}
				session = written(session, p)
			}
		})
	}
}

// An end that was moved is warned of at its new time. That it was moved to within a warning is told by the event Rescheduled.
func TestEndWarningsOfAMovedEnd(t *testing.T) {
	session, seen := warnedActive(t, true, fixture.TTL(30*time.Minute))
	for _, step := range []struct {
		at, ttl, wakes time.Duration
		warns          bool
	}{
		{25 * time.Minute, 30 * time.Minute, 29 * time.Minute, true},
		{26 * time.Minute, time.Hour, 55 * time.Minute, false},
		{27 * time.Minute, 30 * time.Minute, 29 * time.Minute, false},
		{28 * time.Minute, 32 * time.Minute, 31 * time.Minute, false},
		{31 * time.Minute, 32 * time.Minute, 32 * time.Minute, true},
	} {
		fixture.TTL(step.ttl)(session)
		p := pass(t, about(session, seen, accessIs(plan.AccessGranted), at(after(step.at))))
		want{phase: v1alpha1.PhaseActive, wakes: after(step.wakes)}.check(t, p)
		if notes := endingSoon(p); (len(notes) > 0) != step.warns {
			t.Errorf("after %s: %q, want any: %t", step.at, notes, step.warns)
		}
		session = written(session, p)
	}
}

// A debugger that keeps to its own deadline is told of the warnings when it is made. They are those of when it was found fit.
func TestEndWarningsOfTheDebugger(t *testing.T) {
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	session = written(session,
		pass(t, about(session, target(fixture.Pod()), ofClass(fixture.Class(endWarnings(time.Minute, 5*time.Minute))))))
	p := pass(t, about(session, target(fixture.Pod()), ofClass(fixture.Class(endWarnings(time.Hour)))))
	inject, ok := p.Actions[0].(plan.InjectDebugger)
	if !ok {
		t.Fatalf("does %s", does(p))
	}
	command, err := debugpod.Wrap([]string{"sh"}, nil, debugpod.Deadlines{
		StartBy: session.Status.StartedAt.Add(plan.StartTimeout), End: session.Status.ExpiresAt.Time,
		Hard:     session.Status.HardDeadline.Time,
		Warnings: []time.Duration{time.Minute, 5 * time.Minute},
		Session:  types.NamespacedName{Namespace: session.Namespace, Name: session.Name},
	})
	if err != nil || !slices.Equal(command, inject.Container.Command) {
		t.Errorf("the debugger runs %q, want %q (%v)", inject.Container.Command, command, err)
	}
}

// What is over is not warned of.
func TestNoEndWarningOfWhatEnds(t *testing.T) {
	session, seen := warnedActive(t, false)
	p := pass(t, about(written(session, plan.Plan{Status: session.Status}, fixture.End), seen, accessIs(plan.AccessGranted),
		at(after(25*time.Minute))))
	if notes := endingSoon(p); p.Status.Phase != v1alpha1.PhaseEnding || len(notes) > 0 || p.Status.NextEndWarning != nil {
		t.Errorf("phase %s, warnings %q, the next at %s", p.Status.Phase, notes, p.Status.NextEndWarning)
	}
}

// A session whose debugger has not run is told why, and not how long it would last.
func TestNoEndWarningOfWhatHasNotStarted(t *testing.T) {
	for name, copies := range map[string]bool{"ephemeral": false, "copy": true} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(fixture.TTL(5*time.Minute + 30*time.Second))
			if copies {
				fixture.AsCopy()(session)
			}
			session.Finalizers = []string{v1alpha1.Finalizer}
			p := pass(t,
				about(session, target(fixture.Pod()), copyIs(absent()), ofClass(fixture.Class(endWarnings(time.Minute, 5*time.Minute)))))
			session = written(session, p)
			pulls := fixture.Waiting("ErrImagePull", pullError)
			seen := target(debugged(session, pulls))
			if copies {
				seen = copied(copyOf(t, session, fixture.Pod(), fixture.ContainerState(session.Status.Debugger.ContainerName, pulls)))
			}
			p = pass(t, about(session, seen, at(after(time.Minute))))
			want{phase: v1alpha1.PhaseStarting, reason: "ErrImagePull", warns: "ErrImagePull"}.check(t, p)
			if notes := endingSoon(p); len(notes) > 0 {
				t.Errorf("warns: %q", notes)
			}
			if next := p.Status.NextEndWarning; next == nil || !next.Time.Equal(after(4*time.Minute+30*time.Second)) {
				t.Errorf("warns next at %s", next)
			}
		})
	}
}
