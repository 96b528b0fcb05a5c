package debugpod

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func inNetwork(changes ...func(*v1alpha1.DebugSession)) *v1alpha1.DebugSession {
	return admitted(v1alpha1.ModeNode, append([]func(*v1alpha1.DebugSession){profile(v1alpha1.ProfileBaseline), func(s *v1alpha1.DebugSession) {
		s.Namespace = "node-debugging"
		s.Spec.Target = v1alpha1.Target{PodName: "web-0", PodNamespace: "shop"}
		s.Status.Debugger.PodName, s.Status.Debugger.OperatorImage = NetworkPodName("web-0", uidA), "debugsession/operator:v1"
	}}, changes...)...)
}

func networkTarget(t *testing.T) *corev1.Pod {
	target := readTarget(t, "web-0")
	target.UID, target.Spec.NodeName = "90d00000-0000-4000-8000-000000000001", "node-1"
	target.Status.PodIPs = []corev1.PodIP{{IP: "10.1.2.3"}, {IP: "fd00::3"}}
	return target
}

func TestPodNetworkGolden(t *testing.T) {
	for name, session := range map[string]*v1alpha1.DebugSession{
		"network-baseline": inNetwork(),
		"network-netadmin": inNetwork(profile(v1alpha1.ProfileNetadmin), func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger = v1alpha1.Debugger{Image: "tools:1", Command: []string{"tcpdump"}, Args: []string{"-c", "100"}}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			built, err := PodNetwork(session, networkTarget(t), now)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, name, built)
		})
	}
}

// What a session says must reach nothing before the privileges are gone.
func TestPodNetworkRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		field  string
		change func(*v1alpha1.DebugSession)
	}{
		"another profile":      {"spec.profile", profile(v1alpha1.ProfileSysadmin)},
		"the profile general":  {"spec.profile", profile(v1alpha1.ProfileGeneral)},
		"a profile of no name": {"spec.profile", profile("")},
		"an unknown own image": {"spec.target.podNamespace", func(s *v1alpha1.DebugSession) { s.Status.Debugger.OperatorImage = "" }},
		"files of it to keep":  {"spec.debugger.artifacts", func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Artifacts = []string{"/tmp/dump.pcap"} }},
		"a working directory":  {"spec.debugger", func(s *v1alpha1.DebugSession) { s.Spec.Debugger.WorkingDir = "/debugsession/node-processes/1/root" }},
		"a security context":   {"spec.debugger", func(s *v1alpha1.DebugSession) { s.Spec.Debugger.SecurityContext = &corev1.SecurityContext{} }},
		"args for the image":   {"spec.debugger.args", func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Command, s.Spec.Debugger.Args = nil, []string{"-c"} }},
		"a volume of the pod's": {"spec.debugger", func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "node-processes", MountPath: "/p"}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := PodNetwork(inNetwork(test.change), networkTarget(t), now)
			wantInvalid(t, err, test.field)
		})
	}
}

// Whatever is asked for, the operator's program begins, in /, and each flag of it comes before what the session says.
func TestPodNetworkBeginsWithTheOperatorsProgram(t *testing.T) {
	pod, err := PodNetwork(inNetwork(func(s *v1alpha1.DebugSession) {
		s.Spec.Debugger.Command = []string{"--keep=SYS_ADMIN", "--pod-uid=other", "--"}
	}), networkTarget(t), now)
	if err != nil {
		t.Fatal(err)
	}
	c := &pod.Spec.Containers[0]
	end := slices.Index(c.Command, "--")
	if c.Command[0] != "/debugsession/manager" || c.Command[1] != NetworkEnter || !slices.Equal(c.Command[end+1:], []string{"--keep=SYS_ADMIN", "--pod-uid=other", "--"}) {
		t.Errorf("runs %q", c.Command)
	}
	if slices.Contains(c.Command[:end], "--keep=SYS_ADMIN") || c.WorkingDir != "/" || pod.Spec.HostPID || pod.Spec.HostNetwork || *pod.Spec.AutomountServiceAccountToken {
		t.Errorf("is %+v", pod.Spec)
	}
	for _, mount := range c.VolumeMounts {
		if !mount.ReadOnly {
			t.Errorf("writes to %s", mount.Name)
		}
	}
}

func TestNetworkPodName(t *testing.T) {
	if a, b := NetworkPodName("web-0", uidA), NetworkPodName("web-0", "another"); a == b || len(a) > maxPodName {
		t.Errorf("names %q and %q", a, b)
	}
}
