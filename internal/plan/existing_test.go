package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// changing asks for a copy with another image in its container app, and for no debugger.
func changing(s *v1alpha1.DebugSession) {
	fixture.AsCopy(func(c *v1alpha1.PodCopy) {
		c.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "app:debug"}}
	})(s)
	s.Spec.Debugger = v1alpha1.Debugger{}
}

func TestACopyThatIsOnlyChanged(t *testing.T) {
	session := admitted(t, fixture.Session(changing), fixture.Pod())
	if got := session.Status.Debugger.ContainerName; got != "app" {
		t.Fatalf("is about container %q, want app", got)
	}
	crashed := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	crashing := func(p *corev1.Pod) {
		fixture.ContainerState("app", crashed)(p)
		p.Status.ContainerStatuses[0].LastTerminationState = fixture.Exited(now, 2, "Error", "no such flag")
	}
	for name, tc := range map[string]struct {
		seen fixture.PodOption
		want want
	}{
		"runs": {
			fixture.ContainerState("app", fixture.Running(now)),
			want{phase: v1alpha1.PhaseActive, does: "GrantAccess"},
		},
		"crashes again and again": {crashing, want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}},
		"has finished": {
			fixture.Finished(corev1.PodSucceeded, "", ""),
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted, says: "has finished"},
		},
		"cannot pull its new image": {
			fixture.ContainerState("app", fixture.Waiting("ErrImagePull", "not found")),
			want{phase: v1alpha1.PhaseStarting, reason: "ErrImagePull", warns: "ErrImagePull"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			made := copyOf(t, session, fixture.Pod(), tc.seen)
			tc.want.check(t, pass(t, about(session, copied(made))))
		})
	}

	t.Run("costs nothing while it crashes", func(t *testing.T) {
		made := copyOf(t, session, fixture.Pod(), fixture.ContainerState("app", fixture.Running(now)))
		active := written(session, pass(t, about(session, copied(made))))
		if want := "kubectl logs -f -n shop " + made.Name + " -c app"; active.Status.Attach != want {
			t.Errorf("attach is %q, want %q", active.Status.Attach, want)
		}
		crashing(made)
		p := pass(t, about(active, copied(made), at(after(time.Minute))))
		want{phase: v1alpha1.PhaseActive}.check(t, p)
		if p.Status.Debugger.State != active.Status.Debugger.State {
			t.Error("a restart is written down")
		}
	})
}

func TestAContainerThatBecomesTheDebugger(t *testing.T) {
	session := admitted(t, fixture.Session(fixture.AsCopy(), func(s *v1alpha1.DebugSession) {
		s.Spec.Debugger = v1alpha1.Debugger{Container: "app", Command: []string{"sh"}, Stdin: true}
	}), fixture.Pod())
	if image := session.Status.Class.Image; image != "" {
		t.Errorf("the class grants image %q to a container that keeps its own", image)
	}
	running := copyOf(t, session, fixture.Pod(), fixture.ContainerState("app", fixture.Running(now)))
	p := pass(t, about(session, copied(running)))
	want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}.check(t, p)
	if !strings.HasPrefix(p.Status.Attach, "kubectl attach -i ") || !strings.HasSuffix(p.Status.Attach, " -c app") {
		t.Errorf("attach is %q", p.Status.Attach)
	}
	exited := copyOf(t, session, fixture.Pod(), fixture.ContainerState("app", fixture.Exited(now, 0, "Completed", "")))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted}.check(t, pass(t, about(session, copied(exited))))
}

func TestTheOperatorsImageIsRecorded(t *testing.T) {
	session := fixture.Session(fixture.AsCopy(func(c *v1alpha1.PodCopy) {
		c.Quiesce = []v1alpha1.QuiescedContainer{{Name: "*", With: v1alpha1.QuiesceWithOperatorImage}}
	}))
	session.Finalizers = []string{v1alpha1.Finalizer}
	v := about(session, target(fixture.Pod()))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "Invalid", says: "does not know its own image",
		warns: "Rejected", does: ""}.check(t, pass(t, v))
	v.image = "operator:1"
	p := pass(t, v)
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	if p.Status.Debugger.OperatorImage != v.image {
		t.Errorf("recorded image %q", p.Status.Debugger.OperatorImage)
	}
}
