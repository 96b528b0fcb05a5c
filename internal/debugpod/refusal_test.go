package debugpod

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestWhatTheTargetDoesNotHave(t *testing.T) {
	target := readTarget(t, "web-0")
	change := func(name string, keep ...v1alpha1.Keep) func(*v1alpha1.DebugSession) {
		return func(s *v1alpha1.DebugSession) {
			s.Spec.PodCopy.Keep = keep
			s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "*", Image: "a"}, {Name: name, Image: "b"}}
		}
	}
	mount := func(s *v1alpha1.DebugSession) {
		s.Spec.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/a"}, {Name: "gone", MountPath: "/b"}}
	}
	joins := func(container string) func(*v1alpha1.DebugSession) {
		return func(s *v1alpha1.DebugSession) { s.Status.Target.Container = container }
	}
	for _, test := range []struct {
		name, field string
		session     *v1alpha1.DebugSession
	}{
		{"a volume, ephemeral", "spec.debugger.volumeMounts[1].name", admitted(v1alpha1.ModeEphemeralContainer, mount)},
		{"a volume, copy", "spec.debugger.volumeMounts[1].name", admitted(v1alpha1.ModePodCopy, mount)},
		{"a container to join", "spec.target.container", admitted(v1alpha1.ModeEphemeralContainer, joins("gone"))},
		{"an ephemeral container to join", "spec.target.container", admitted(v1alpha1.ModeEphemeralContainer, joins("debugger-old"))},
		{"an init container to join", "", admitted(v1alpha1.ModeEphemeralContainer, joins("mesh"))},
		{"a container to change", "spec.podCopy.containers[1].name", admitted(v1alpha1.ModePodCopy, change("gone"))},
		{
			"the debugger is no container to change",
			"spec.podCopy.containers[1].name",
			admitted(v1alpha1.ModePodCopy, change(ContainerName(uidA))),
		},
		{
			"an init container that is not kept",
			"spec.podCopy.containers[1].name",
			admitted(v1alpha1.ModePodCopy, change("migrate", v1alpha1.KeepLabels)),
		},
		{"an init container that is kept", "", admitted(v1alpha1.ModePodCopy, change("migrate", v1alpha1.KeepInitContainers))},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := build(test.session, target)
			if test.field != "" {
				wantInvalid(t, err, test.field)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestADebuggerOfThatNameIsThere(t *testing.T) {
	target := readTarget(t, "web-0")
	target.Spec.Containers[1].Name = ContainerName(uidA)
	wantInvalid(t, build(admitted(v1alpha1.ModePodCopy), target), "spec.target")
}

// A session that is not admitted is no invalid session: the caller was too early, and nobody is to be told to change it.
func TestNotAdmitted(t *testing.T) {
	for name, session := range map[string]*v1alpha1.DebugSession{
		"ephemeral without a debugger": admitted(v1alpha1.ModeEphemeralContainer,
			func(s *v1alpha1.DebugSession) { s.Status.Debugger = nil }),
		"ephemeral without a name": admitted(v1alpha1.ModeEphemeralContainer,
			func(s *v1alpha1.DebugSession) { s.Status.Debugger.ContainerName = "" }),
		"copy without a debugger":   admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) { s.Status.Debugger = nil }),
		"copy without a pod's name": admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) { s.Status.Debugger.PodName = "" }),
		"copy without a container name": admitted(v1alpha1.ModePodCopy,
			func(s *v1alpha1.DebugSession) { s.Status.Debugger.ContainerName = "" }),
		"copy without a hard deadline": admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) { s.Status.HardDeadline = nil }),
	} {
		err := build(session, readTarget(t, "web-0"))
		var invalid *InvalidError
		if err == nil || errors.As(err, &invalid) {
			t.Errorf("%s: error %v, want one that is no *InvalidError", name, err)
		}
	}
}

// build builds what the session's mode asks for.
func build(session *v1alpha1.DebugSession, target *corev1.Pod) error {
	var err error
	if session.Spec.Mode == v1alpha1.ModePodCopy {
		_, err = Copy(session, target, now)
	} else {
		_, err = Ephemeral(session, target)
	}
	return err
}
