package plan_test

import (
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func TestAdmit(t *testing.T) {
	const (
		pending  = v1alpha1.PhasePending
		starting = v1alpha1.PhaseStarting
		ended    = v1alpha1.PhaseEnded
	)
	waitUntil := after(plan.StartTimeout)
	waits := one(waitingSince(now))
	mount := func(volume string) fixture.SessionOption {
		return func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: volume, MountPath: "/mnt"}}
		}
	}
	container := func(name string) fixture.SessionOption {
		return func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = name }
	}
	rejected := func(reason, says string) want {
		return want{phase: ended, outcome: v1alpha1.OutcomeRejected, reason: reason, says: says, does: "AddFinalizer", warns: "Rejected"}
	}
	admit := want{phase: starting, reason: "Starting", does: "AddFinalizer"}

	for name, tc := range map[string]struct {
		session []fixture.SessionOption
		target  plan.Observed[*corev1.Pod]
		at      time.Time
		want    want
	}{
		"a running pod":         {target: plan.Found(fixture.Pod()), want: admit},
		"a pod of no readiness": {target: plan.Found(fixture.Pod(fixture.NotReady)), want: admit},
		"a container":           {session: one(container("proxy")), target: plan.Found(fixture.Pod()), want: admit},
		"an init container": {
			session: one(container("setup")),
			target:  plan.Found(fixture.Pod(fixture.InitContainerState("setup", fixture.Running(now)))),
			want:    admit,
		},
		"a volume":                    {session: one(mount("data")), target: plan.Found(fixture.Pod()), want: admit},
		"late, when the pod is there": {target: plan.Found(fixture.Pod()), at: after(time.Hour), want: admit},

		"no pod": {target: absent(),
			want: want{phase: pending, reason: "TargetNotFound", says: `there is no pod "web" in namespace "shop"`, does: "AddFinalizer",
				wakes: waitUntil, warns: "TargetNotFound"}},
		"no pod until the last moment": {session: waits, target: absent(), at: waitUntil.Add(-time.Second),
			want: want{phase: pending, reason: "TargetNotFound", does: "AddFinalizer", wakes: waitUntil}},
		"no pod for too long": {session: waits, target: absent(), at: waitUntil,
			want: want{phase: ended, outcome: v1alpha1.OutcomeTimedOut, reason: "TimedOut", says: "gave up after 5m", does: "AddFinalizer",
				warns: "TimedOut"}},
		"a pod on no node": {target: plan.Found(fixture.Pod(fixture.Unplaced)),
			want: want{phase: pending, reason: "TargetNotPlaced", does: "AddFinalizer", wakes: waitUntil, warns: "TargetNotPlaced"}},
		"a pod that nothing can place": {target: plan.Found(fixture.Pod(fixture.Unplaced, func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes are available"},
			}
		})), want: want{
			phase:  pending,
			reason: "TargetNotPlaced",
			says:   "is not scheduled yet (Unschedulable: 0/1 nodes are available); waiting",
			does:   "AddFinalizer",
			wakes:  waitUntil,
			warns:  "TargetNotPlaced",
		}},
		"a copy of a pod on no node": {session: one(fixture.AsCopy()), target: plan.Found(fixture.Pod(fixture.Unplaced)), want: admit},
		"not asked yet":              {target: awaited(), want: want{does: "AddFinalizer"}},
		"not to be read": {target: unknown(),
			want: want{phase: pending, reason: "Unreadable", says: "request timed out", does: "AddFinalizer", retries: true,
				warns: "Unreadable"}},
		"not to be read for long": {session: waits, target: unknown(), at: after(time.Hour),
			want: want{phase: pending, reason: "Unreadable", does: "AddFinalizer", retries: true, warns: "Unreadable"}},

		"succeeded": {
			target: plan.Found(fixture.Pod(fixture.Finished(corev1.PodSucceeded, "", ""))),
			want:   rejected("TargetFinished", "(Succeeded)"),
		},
		"failed": {
			target: plan.Found(fixture.Pod(fixture.Finished(corev1.PodFailed, "", ""))),
			want:   rejected("TargetFinished", "(Failed)"),
		},
		"terminating": {
			target: plan.Found(fixture.Pod(fixture.Terminating)),
			want:   rejected("TargetTerminating", "is being deleted"),
		},
		"a mirror pod": {
			target: plan.Found(fixture.Pod(fixture.Mirror)),
			want:   rejected("TargetIsMirrorPod", "use mode: PodCopy"),
		},
		"a copy of a succeeded pod": {
			session: one(fixture.AsCopy()),
			target:  plan.Found(fixture.Pod(fixture.Finished(corev1.PodSucceeded, "", ""))),
			want:    admit,
		},
		"a copy of a terminating pod": {session: one(fixture.AsCopy()), target: plan.Found(fixture.Pod(fixture.Terminating)), want: admit},
		"a copy of a mirror pod":      {session: one(fixture.AsCopy()), target: plan.Found(fixture.Pod(fixture.Mirror)), want: admit},

		"an unknown container": {session: one(container("ap")), target: plan.Found(fixture.Pod()),
			want: rejected("ContainerNotFound", `pod "web" has no container "ap"; its containers are app, proxy, setup`)},
		"an unknown container, of a copy": {session: []fixture.SessionOption{fixture.AsCopy(), container("ap")},
			target: plan.Found(fixture.Pod()),
			want:   rejected("ContainerNotFound", `no container "ap"`)},
		"an ephemeral container": {session: one(container("debugger-1")), target: plan.Found(fixture.Pod(fixture.Ephemeral("debugger-1"))),
			want: rejected("ContainerNotFound", `"debugger-1" is an ephemeral container`)},
		"an unknown volume": {session: one(mount("date")), target: plan.Found(fixture.Pod()),
			want: rejected("VolumeNotFound",
				`spec.debugger.volumeMounts[0].name: pod "web" has no volume "date", and a debugger cannot add one; its volumes are data`)},
		"a volume of a pod that has none": {session: one(mount("data")),
			target: plan.Found(fixture.Pod(func(p *corev1.Pod) { p.Spec.Volumes = nil })),
			want:   rejected("VolumeNotFound", "it has none")},
		"what cannot be built": {session: one(fixture.AsCopy(func(c *v1alpha1.PodCopy) {
			c.Containers = []v1alpha1.ContainerChange{{Name: "nope", Image: "x"}}
		})), target: plan.Found(fixture.Pod()), want: rejected("Invalid", "spec.podCopy.containers[0].name")},
	} {
		t.Run(name, func(t *testing.T) {
			when := now
			if !tc.at.IsZero() {
				when = tc.at
			}
			p := pass(t, about(fixture.Session(tc.session...), targetIs(tc.target), at(when)))
			tc.want.check(t, p)
		})
	}
}

// waitingSince is a session that waits for its target since then, without a break.
func waitingSince(since time.Time) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) {
		s.Status.Phase = v1alpha1.PhasePending
		s.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionAdmissible, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTargetNotFound,
			LastTransitionTime: metav1.NewTime(since),
		}}
	}
}

func one(option fixture.SessionOption) []fixture.SessionOption {
	return []fixture.SessionOption{option}
}

func TestAdmittedIsRecorded(t *testing.T) {
	var images []v1alpha1.ContainerImage
	for _, container := range []string{"app", "proxy", "setup"} {
		images = append(images, v1alpha1.ContainerImage{Container: container, Image: "registry.example/busybox:1.36",
			ImageID: "registry.example/busybox@sha256:c0ffee"})
	}
	t.Run("EphemeralContainer", func(t *testing.T) {
		status := admitted(t, fixture.Session(), fixture.Pod()).Status
		if got := *status.Target; !reflect.DeepEqual(got, v1alpha1.TargetStatus{Name: "web", PodName: "web", PodUID: fixture.PodUID,
			NodeName: "node-1", Container: "app", Images: images}) {
			t.Errorf("target is %+v", got)
		}
		want := v1alpha1.DebuggerStatus{
			PodName: "web", PodUID: fixture.PodUID, ContainerName: debugpod.ContainerName(fixture.SessionUID), Deadline: status.ExpiresAt,
		}
		if got := *status.Debugger; !reflect.DeepEqual(got, want) {
			t.Errorf("debugger is %+v", got)
		}
	})
	t.Run("PodCopy", func(t *testing.T) {
		status := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod()).Status
		if got := *status.Target; !reflect.DeepEqual(got,
			v1alpha1.TargetStatus{Name: "web", PodName: "web", PodUID: fixture.PodUID, NodeName: "node-1", Images: images}) {
			t.Errorf("target is %+v", got)
		}
		if got := *status.Debugger; got.PodName != debugpod.CopyName("web", fixture.SessionUID) || got.PodUID != "" ||
			got.ContainerName == "" {
			t.Errorf("debugger is %+v", got)
		}
	})
	t.Run("PodCopy with a name", func(t *testing.T) {
		status := admitted(t, fixture.Session(fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Name = "mine" })), fixture.Pod()).Status
		if got := status.Debugger.PodName; got != "mine" {
			t.Errorf("the copy is to be named %q", got)
		}
	})
	t.Run("the default container", func(t *testing.T) {
		pod := fixture.Pod(func(p *corev1.Pod) {
			p.Annotations = map[string]string{"kubectl.kubernetes.io/default-container": "proxy"}
		})
		if got := admitted(t, fixture.Session(), pod).Status.Target.Container; got != "proxy" {
			t.Errorf("the container is %q", got)
		}
	})
}

func TestNothingIsMadeForASessionThatIsAskedToEnd(t *testing.T) {
	for name, ask := range map[string]fixture.SessionOption{"end: true": fixture.End, "deleted": fixture.Deleted} {
		t.Run(name, func(t *testing.T) {
			for phase, session := range map[string]*v1alpha1.DebugSession{
				"new": fixture.Session(ask),
				"pending": written(fixture.Session(),
					pass(t, about(fixture.Session(), targetIs(absent()))), ask),
			} {
				t.Run(phase, func(t *testing.T) {
					p := pass(t, about(session, silent))
					want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated, says: "nothing was created"}.check(t, p)
				})
			}
		})
	}
}

// A target that comes while it is waited for is debugged, and the wait leaves no trace.
func TestATargetThatCameIsDebugged(t *testing.T) {
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	session = written(session, pass(t, about(session, targetIs(absent()))))
	session = written(session, pass(t, about(session, target(fixture.Pod(fixture.Unplaced)))))
	p := pass(t, about(session, target(fixture.Pod())))
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
}

// Waiting on writes nothing new: only what one waits for is news.
func TestWaitingIsWrittenOnce(t *testing.T) {
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	for name, seen := range map[string]plan.Observed[*corev1.Pod]{
		"absent": absent(), "unplaced": plan.Found(fixture.Pod(fixture.Unplaced)), "unknown": unknown(),
	} {
		t.Run(name, func(t *testing.T) {
			waiting := written(session, pass(t, about(session, targetIs(seen))))
			p := pass(t, about(waiting, targetIs(seen), at(after(time.Minute))))
			quiet(t, waiting, p)
		})
	}
}
