package diagnosis_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/fixture"
)

func TestSteady(t *testing.T) {
	const cause = "failed to pull and unpack image: not found"
	for _, said := range [][2]string{{"ErrImagePull", cause}, {"ImagePullBackOff", `Back-off pulling image "x": ErrImagePull: ` + cause}} {
		if reason, message := diagnosis.Steady(said[0], said[1]); reason != "ErrImagePull" || message != cause {
			t.Errorf("%s: %s: %s", said[0], reason, message)
		}
	}
	if reason, message := diagnosis.Steady("CrashLoopBackOff", "back-off"); reason != "CrashLoopBackOff" || message != "back-off" {
		t.Errorf("%s: %s", reason, message)
	}
}

func TestOnItsWay(t *testing.T) {
	for reason, want := range map[string]bool{"": true, "ContainerCreating": true, "PodInitializing": true, "ErrImagePull": false} {
		if diagnosis.OnItsWay(reason) != want {
			t.Errorf("%q: want %t", reason, want)
		}
	}
}

func TestBlamesTarget(t *testing.T) {
	for words, want := range map[string]bool{
		`invalid target container "app"`:                                                         true,
		`unable to find target container app`:                                                    true,
		`failed to create containerd task: lstat /proc/1234/ns/pid: no such file or directory`:   true,
		`runc create failed: can't get final child's PID from pipe: EOF`:                         true,
		`exec: "bash": executable file not found in $PATH`:                                       false,
		`failed to pull and unpack image "docker.io/library/nope:1": not found`:                  false,
		`container has runAsNonRoot and image will run as root (pod: "web", container: "shell")`: false,
	} {
		if diagnosis.BlamesTarget(words) != want {
			t.Errorf("%s: want %t", words, want)
		}
	}
}

func TestPulledImage(t *testing.T) {
	for image, event := range map[string]corev1.Event{
		"busybox:1.36": {Reason: "Pulling", Message: `Pulling image "busybox:1.36"`},
		"":             {Reason: "Pulled", Message: `Pulling image "busybox:1.36"`},
	} {
		if got := diagnosis.PulledImage(&event); got != image {
			t.Errorf("%s: %q", event.Reason, got)
		}
	}
}

func TestStartRemedy(t *testing.T) {
	const nonRoot = "container has runAsNonRoot and image will run as root"
	added := &fixture.Session().Spec
	changed := &fixture.Session(fixture.AsCopy(func(c *v1alpha1.PodCopy) {
		c.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "shell:1"}}
	})).Spec
	changed.Debugger = v1alpha1.Debugger{}
	pulls := &fixture.Session(fixture.AsCopy(), func(s *v1alpha1.DebugSession) {
		s.Spec.ImagePullSecrets = []v1alpha1.ImagePullSecret{{Name: "tools"}, {Name: "more"}}
	}).Spec
	for _, tc := range []struct {
		spec                  *v1alpha1.DebugSessionSpec
		reason, message, says string
	}{
		{added, "CreateContainerError", `invalid target container "app"`, "use mode: PodCopy"},
		{added, "InvalidImageName", "couldn't parse", "the image name and tag"},
		{added, "ErrImagePull", "401 Unauthorized", "and the pod's imagePullSecrets"},
		{pulls, "ErrImagePull", "401 Unauthorized", `each Secret of spec.imagePullSecrets ("tools", "more") exists in the namespace`},
		{added, "CreateContainerConfigError", nonRoot, "set debugger.securityContext.runAsUser"},
		{changed, "CreateContainerConfigError", nonRoot, "set another image in podCopy.containers"},
		{added, "CreateContainerConfigError", `secret "nope" not found`, "check debugger.env"},
		{changed, "CreateContainerConfigError", `secret "nope" not found`, "check env in podCopy.containers"},
		{changed, v1alpha1.ReasonUnschedulable, "1 Insufficient cpu", "podCopy.containers"},
		{changed, corev1.PodReasonSchedulingGated, "", "scheduling gates"},
		{added, "SomethingNew", "", "see the message"},
	} {
		if got := diagnosis.StartRemedy(tc.spec, tc.reason, tc.message); !strings.Contains(got, tc.says) {
			t.Errorf("%s: %q, want %q in it", tc.reason, got, tc.says)
		}
	}
}
