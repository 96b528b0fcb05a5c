package plan_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func duration(d time.Duration) *metav1.Duration {
	if d == 0 {
		return nil
	}
	return &metav1.Duration{Duration: d}
}

func idleTimeout(d time.Duration) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) { s.Spec.IdleTimeout = duration(d) }
}

// A session that can be seen to be unused gets what it says, else what its class says; any other gets none, whatever the class says.
func TestIdleTimeoutIsGranted(t *testing.T) {
	for name, tc := range map[string]struct {
		asked, usual, most time.Duration
		change             fixture.SessionOption
		want               time.Duration
	}{
		"none":                 {},
		"the session's":        {asked: time.Minute, usual: time.Hour, most: 2 * time.Hour, want: time.Minute},
		"without a class's":    {asked: time.Minute, want: time.Minute},
		"the class's default":  {usual: time.Hour, most: 2 * time.Hour, want: time.Hour},
		"the class's longest":  {most: 2 * time.Hour, want: 2 * time.Hour},
		"without a terminal":   {most: time.Hour, change: func(s *v1alpha1.DebugSession) { s.Spec.Debugger.TTY = false }},
		"that is unstoppable":  {most: time.Hour, change: func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Unstoppable = true }},
		"of a copy":            {most: time.Hour, change: fixture.AsCopy()},
		"of one with a longer": {asked: time.Hour, most: time.Hour, want: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(idleTimeout(tc.asked))
			if tc.change != nil {
				tc.change(session)
			}
			session.Finalizers = []string{v1alpha1.Finalizer}
			class := fixture.Class(func(c *v1alpha1.DebugClassSpec) {
				c.AllowUnstoppable, c.MaxIdleTimeout = true, duration(tc.most)
				c.Defaults = &v1alpha1.ClassDefaults{IdleTimeout: duration(tc.usual)}
			})
			p := pass(t, about(session, target(fixture.Pod()), copyIs(absent()), ofClass(class)))
			want{phase: v1alpha1.PhaseStarting}.check(t, p)
			got := time.Duration(0)
			if granted := p.Status.Class.IdleTimeout; granted != nil {
				got = granted.Duration
			}
			if got != tc.want {
				t.Errorf("granted %s, want %s", got, tc.want)
			}
			made := pass(t, about(written(session, p), target(fixture.Pod()), copyIs(absent()), ofClass(class)))
			inject, wrapped := made.Actions[0].(plan.InjectDebugger)
			if !wrapped || session.Spec.Debugger.Unstoppable {
				return
			}
			command, err := debugpod.Wrap([]string{"sh"}, nil, debugpod.Deadlines{
				StartBy: p.Status.StartedAt.Add(plan.StartTimeout), End: p.Status.ExpiresAt.Time, Hard: p.Status.HardDeadline.Time,
				Idle: tc.want, Session: types.NamespacedName{Namespace: session.Namespace, Name: session.Name},
			})
			if err != nil || !slices.Equal(command, inject.Container.Command) {
				t.Errorf("the debugger runs %q, want %q (%v)", inject.Container.Command, command, err)
			}
		})
	}
}

// A debugger that has ended itself for nobody used it ends its session as Expired, and says why. Its words alone are not enough.
func TestIdleEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		idle    time.Duration
		after   time.Duration
		code    int32
		words   string
		outcome v1alpha1.Outcome
		reason  string
		by      v1alpha1.StoppedBy
	}{
		"idle": {time.Minute, 2 * time.Minute, debugpod.ExitDeadline, debugpod.WhenIdle, v1alpha1.OutcomeExpired,
			v1alpha1.ReasonIdleTimeout, v1alpha1.StoppedByIdleTimeout},
		"after other words": {time.Minute, 2 * time.Minute, debugpod.ExitDeadline, "mine\n" + debugpod.WhenIdle + "\n",
			v1alpha1.OutcomeExpired, v1alpha1.ReasonIdleTimeout, v1alpha1.StoppedByIdleTimeout},
		"too early": {time.Minute, 59 * time.Second, debugpod.ExitDeadline, debugpod.WhenIdle, v1alpha1.OutcomeCompleted,
			v1alpha1.ReasonExited, v1alpha1.StoppedByCommand},
		"without one": {0, 2 * time.Minute, debugpod.ExitDeadline, debugpod.WhenIdle, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited,
			v1alpha1.StoppedByCommand},
		"another code": {time.Minute, 2 * time.Minute, 0, debugpod.WhenIdle, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited,
			v1alpha1.StoppedByCommand},
		"other words": {time.Minute, 2 * time.Minute, debugpod.ExitDeadline,
			"mine", v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited, v1alpha1.StoppedByCommand},
	} {
		t.Run(name, func(t *testing.T) {
			session, _ := active(t, idleTimeout(tc.idle))
			ended := fixture.Exited(now.Add(tc.after), tc.code, "Error", tc.words)
			ended.Terminated.StartedAt = metav1.NewTime(now)
			pod := debugged(session, ended)
			p := pass(t, about(session, target(pod), at(after(tc.after+time.Second))))
			want{phase: v1alpha1.PhaseEnding, outcome: tc.outcome, reason: tc.reason}.check(t, p)
			over := pass(t, about(written(session, p), target(pod), accessIs(plan.AccessRevoked), at(after(tc.after+time.Second))))
			want{phase: v1alpha1.PhaseEnded, outcome: tc.outcome, reason: tc.reason}.check(t, over)
			if over.Status.Debugger.StoppedBy != tc.by {
				t.Errorf("stopped by %s, want %s", over.Status.Debugger.StoppedBy, tc.by)
			}
		})
	}
}
