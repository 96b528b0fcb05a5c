package plan_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func memory(limit string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)}}
}

// limited has every container of the pod limited, so that the kubelet limits the pod to the sum.
func limited(p *corev1.Pod) {
	for i := range p.Spec.Containers {
		p.Spec.Containers[i].Resources = memory("32Mi")
	}
	for i := range p.Spec.InitContainers {
		p.Spec.InitContainers[i].Resources = memory("16Mi")
	}
}

// wholeLimited is a pod with a limit of its own.
func wholeLimited(p *corev1.Pod) { p.Spec.Resources = new(memory("48Mi")) }

// A debugger that was killed for memory is no success, and says which limit that was.
func TestADebuggerThatWasKilledForMemory(t *testing.T) {
	killed, child := fixture.Exited(now, 137, "OOMKilled", ""), fixture.Exited(now, 1, "OOMKilled", "")
	lost := func(says string) want {
		return want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeFailed, reason: "OOMKilled", says: says}
	}
	pods := func(name string, m inMode, state corev1.ContainerState, w want, changes ...fixture.PodOption) {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(m.session, m.sees(state, changes...)))
			w.check(t, p)
			if p.Status.Debugger.StartedAt == nil {
				t.Error("does not say when it started")
			}
		})
	}
	own := func(p *corev1.Pod) {
		for i := range p.Spec.Containers {
			p.Spec.Containers[i].Resources = memory("24Mi")
		}
	}
	for mode, m := range modes(t) {
		name := string(mode)
		pods(name+", its child", m, child, lost("a process of container"))
		pods(name+", no limit", m, killed, lost(`so node "node-1" ran out of memory`))
		pods(name+", of the whole pod", m, killed, lost(`reached its limit of 48Mi`), wholeLimited)
		pods(name+", and went on to succeed", m, fixture.Exited(now, 0, "OOMKilled", ""),
			want{
				phase:   v1alpha1.PhaseEnding,
				outcome: v1alpha1.OutcomeCompleted,
				reason:  "Exited",
				says:    "exit code 0; one of its processes ran out of memory (OOMKilled)",
			})
		if mode == v1alpha1.ModeEphemeralContainer {
			pods(name+", of all containers", m, killed, lost("the sum of its containers' limits"), limited)
			continue
		}
		pods(name+", its own limit", m, killed, lost("it reached its limit of 24Mi; raise debugger.resources.limits.memory"), own)
		never := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: "OOMKilled",
			says: "raise debugger.resources.limits.memory"}
		never.check(t, pass(t,
			about(m.session, m.sees(fixture.Exited(now, 128, "StartError", "container init was OOM-killed (memory limit too low?)")))))
	}
}

// A copy that is only changed ends with its pod.
func TestAChangedContainerThatWasKilledForMemory(t *testing.T) {
	session := admitted(t, fixture.Session(fixture.AsCopy(func(c *v1alpha1.PodCopy) {
		c.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "checkout:debug"}}
	}), func(s *v1alpha1.DebugSession) { s.Spec.Debugger = v1alpha1.Debugger{} }), fixture.Pod())
	made := copyOf(t, session, fixture.Pod(), fixture.ContainerState("app", fixture.Exited(now, 137, "OOMKilled", "")),
		fixture.Finished(corev1.PodFailed, "", ""))
	p := pass(t, about(session, copied(made), func(v *view) { v.output = new(plan.Found("")) }))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeFailed, reason: "OOMKilled", says: `container "app"`}.check(t, p)
}
