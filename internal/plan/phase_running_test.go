package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// The messages are the scheduler's and the kubelet's own.
func TestCopiesThatKubernetesWouldNotRun(t *testing.T) {
	session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
	name := session.Status.Debugger.ContainerName
	unschedulable := func(why string) []fixture.PodOption {
		return []fixture.PodOption{fixture.Unplaced, fixture.Unschedulable(why)}
	}
	gated := func(p *corev1.Pod) {
		fixture.Unplaced(p)
		fixture.Unschedulable("Scheduling is blocked due to non-empty scheduling gates")(p)
		p.Status.Conditions[0].Reason = corev1.PodReasonSchedulingGated
	}
	begun := func(p *corev1.Pod) {
		p.Status.StartTime = &metav1.Time{Time: now}
		fixture.ContainerState(name, fixture.Waiting("ContainerCreating", ""))(p)
	}
	claiming := func(p *corev1.Pod) {
		begun(p)
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "db", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "db-0"},
		}})
	}
	initializing := func(always bool, state corev1.ContainerState) fixture.PodOption {
		return func(p *corev1.Pod) {
			begun(p)
			container := corev1.Container{Name: "migrate", Image: "busybox:1.36"}
			if always {
				container.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
			}
			p.Spec.InitContainers = []corev1.Container{{Name: "done"}, container}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{
				{Name: "done", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}},
				{Name: "migrate", State: state},
			}
		}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Time{Time: now}}}
	waits := func(reason, says string) want {
		return want{phase: v1alpha1.PhaseStarting, reason: reason, says: says, warns: reason}
	}
	minute := after(time.Minute)
	for label, tc := range map[string]struct {
		at   time.Time
		seen []fixture.PodOption
		want want
	}{
		"host port": {
			now,
			unschedulable("0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."),
			waits("Unschedulable", "podCopy.replaceOriginal"),
		},
		"ReadWriteOncePod": {
			now,
			unschedulable(
				"0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode."),
			waits("Unschedulable", "only one pod"),
		},
		"local volume": {
			now,
			unschedulable("0/3 nodes are available: 3 node(s) didn't match PersistentVolume's node affinity."),
			waits("Unschedulable", "podCopy.sameNode"),
		},
		"resource claim": {
			now,
			unschedulable("0/1 nodes are available: 1 cannot allocate all claims, resourceclaim in use."),
			waits("Unschedulable", "what the copy claims"),
		},
		"anti-affinity": {
			now,
			unschedulable("0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."),
			waits("Unschedulable", "keep the copy away"),
		},
		"room": {now, unschedulable("0/1 nodes are available: 1 Insufficient cpu."), waits("Unschedulable", "request less")},
		"something else": {
			now,
			unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint."),
			waits("Unschedulable", "needs a node that accepts it"),
		},
		"gates": {now, []fixture.PodOption{gated}, waits("SchedulingGated", "removed by whoever set them")},
		"port on the same node": {now,
			[]fixture.PodOption{fixture.Finished(corev1.PodFailed, "NodePorts", "Pod was rejected: Predicate NodePorts failed")},
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, says: "Predicate NodePorts failed"}},
		"on its way": {
			now,
			[]fixture.PodOption{begun},
			want{phase: v1alpha1.PhaseStarting, says: v1alpha1.MessageStarting, wakes: minute},
		},
		"volume on another node": {
			minute,
			[]fixture.PodOption{claiming},
			want{phase: v1alpha1.PhaseStarting, reason: "Starting", says: "it may be waiting for the volumes of db-0"},
		},
		"node that is not ready": {
			minute,
			nil,
			want{phase: v1alpha1.PhaseStarting, reason: "Starting", says: `check that node "node-1" is ready`},
		},
		"nobody knows what": {
			minute,
			[]fixture.PodOption{begun},
			want{phase: v1alpha1.PhaseStarting, reason: "Starting", says: "kubectl describe pod"},
		},
		"init container hangs": {minute, []fixture.PodOption{initializing(false, running)},
			want{phase: v1alpha1.PhaseStarting, reason: "Starting",
				says: `init container "migrate" has been running since 2026-`}},
		"sidecar hangs": {minute, []fixture.PodOption{initializing(true, running)}, want{phase: v1alpha1.PhaseStarting, reason: "Starting",
			says: "its startup probe has not succeeded"}},
		"init container does not start": {minute, []fixture.PodOption{
			initializing(false, fixture.Waiting("ErrImagePull", "no such image")),
		}, want{phase: v1alpha1.PhaseStarting, reason: "Starting",
			says: `init container "migrate" has not started: ErrImagePull: no such image`}},
		"never": {
			after(5 * time.Minute),
			[]fixture.PodOption{claiming},
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, says: "it may be waiting for the volumes of db-0"},
		},
	} {
		t.Run(label, func(t *testing.T) {
			made := copyOf(t, session, fixture.Pod(), tc.seen...)
			tc.want.check(t, pass(t, about(session, copied(made), at(tc.at), accessIs(plan.AccessGranted))))
		})
	}
}
