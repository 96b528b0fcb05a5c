package diagnosis_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/fixture"
)

func TestKilledForMemory(t *testing.T) {
	for want, ended := range map[bool]*corev1.ContainerStateTerminated{
		true:  {Reason: "OOMKilled", ExitCode: 1},
		false: {Reason: "OOMKilled", ExitCode: 0}, // it outlived what was killed beside it
	} {
		if diagnosis.KilledForMemory(ended) != want {
			t.Errorf("%+v: want %t", ended, want)
		}
	}
	if diagnosis.KilledForMemory(nil) {
		t.Error("what runs was killed")
	}
}

func TestMemoryLimit(t *testing.T) {
	memory := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("48Mi")}}
	own := func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "debugger", Resources: memory})
	}
	whole := func(p *corev1.Pod) { p.Spec.Resources = &memory }
	ephemeral, copied := &fixture.Session().Spec, &fixture.Session(fixture.AsCopy()).Spec
	for says, got := range map[string]string{
		"it reached its limit of 48Mi; raise debugger.resources.limits.memory": diagnosis.MemoryLimit(copied,
			fixture.Pod(own), "debugger"),
		"reached its limit of 48Mi; use less memory, or set debugger.resources": diagnosis.MemoryLimit(copied,
			fixture.Pod(whole), "debugger"),
		"reached its limit of 48Mi; use less memory, or use mode: PodCopy": diagnosis.MemoryLimit(ephemeral,
			fixture.Pod(whole), "debugger"),
		`so node "node-1" ran out of memory; use less memory, or use mode: PodCopy`: diagnosis.MemoryLimit(ephemeral,
			fixture.Pod(), "debugger"),
	} {
		if !strings.Contains(got, says) {
			t.Errorf("%q, want %q in it", got, says)
		}
	}
}
