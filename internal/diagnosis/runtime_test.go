package diagnosis_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/fixture"
)

func TestStartFailure(t *testing.T) {
	ephemeral, copied := &fixture.Session().Spec, &fixture.Session(fixture.AsCopy()).Spec
	noShell := &corev1.ContainerStateTerminated{Reason: "StartError", Message: `exec: "sh": executable file not found in $PATH`}
	if reason, message := diagnosis.StartFailure(ephemeral, "tool:1", noShell); reason != "StartError" ||
		!strings.Contains(message, "tool:1 has no shell") {
		t.Errorf("%s: %s", reason, message)
	}
	if _, message := diagnosis.StartFailure(copied, "tool:1", noShell); !strings.Contains(message,
		"set debugger.command to a program that tool:1 has") {
		t.Error(message)
	}
	copied.Debugger.Artifacts = []string{"/tmp/heap"}
	if _, message := diagnosis.StartFailure(copied, "tool:1", noShell); !strings.Contains(message, "or remove debugger.artifacts") {
		t.Error(message)
	}
	small := &corev1.ContainerStateTerminated{Reason: "StartError", Message: "container init was OOM-killed (memory limit too low?)"}
	if reason, message := diagnosis.StartFailure(ephemeral, "tool:1", small); reason != diagnosis.OOMKilled ||
		!strings.Contains(message, "raise debugger.resources.limits.memory") {
		t.Errorf("%s: %s", reason, message)
	}
}

func TestLost(t *testing.T) {
	for want, ended := range map[bool][]corev1.ContainerStateTerminated{
		true:  {{Reason: "Unknown", ExitCode: 255}, {Reason: "ContainerStatusUnknown", ExitCode: 137}},
		false: {{Reason: "Error", ExitCode: 255}, {Reason: "Unknown", ExitCode: 1}, {Reason: "Completed"}},
	} {
		for i := range ended {
			if diagnosis.Lost(&ended[i]) != want {
				t.Errorf("%+v: want %t", ended[i], want)
			}
		}
	}
}

func TestLacksSleep(t *testing.T) {
	const words = `failed to create containerd task: exec: "sleep": executable file not found in $PATH`
	for want, state := range map[bool]corev1.ContainerState{
		true:  {Terminated: &corev1.ContainerStateTerminated{Message: words}},
		false: {Waiting: &corev1.ContainerStateWaiting{Message: "back-off restarting failed container"}},
	} {
		if diagnosis.LacksSleep(state) != want {
			t.Errorf("%+v: want %t", state, want)
		}
	}
}

func TestContainerStopped(t *testing.T) {
	for words, want := range map[string]bool{
		`unable to upgrade connection: container not found ("shell")`: true,
		"cannot exec in a stopped container":                          true,
		"error dialing backend: EOF":                                  false,
	} {
		if diagnosis.ContainerStopped(words) != want {
			t.Errorf("%s: want %t", words, want)
		}
	}
}
