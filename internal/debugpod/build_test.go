package debugpod

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

var update = flag.Bool("update", false, "write testdata/golden anew instead of comparing with it")

// now is the moment at which the tests' sessions are admitted, an hour before their hard deadline.
var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// admitted returns a session for pod web-0 whose status says what the builders read, and changes it as asked.
func admitted(mode v1alpha1.Mode, changes ...func(*v1alpha1.DebugSession)) *v1alpha1.DebugSession {
	session := &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout-hang", UID: uidA},
		Spec: v1alpha1.DebugSessionSpec{
			Target:   v1alpha1.Target{PodName: "web-0"},
			Mode:     mode,
			Profile:  v1alpha1.ProfileGeneral,
			Debugger: v1alpha1.Debugger{Image: "busybox:1.36", Command: []string{"sh"}, Stdin: true, TTY: true},
		},
		Status: v1alpha1.DebugSessionStatus{
			Class:        &v1alpha1.ClassStatus{Allows: &v1alpha1.ClassAllows{SecurityContext: true, Volumes: true, Priority: true}},
			Target:       &v1alpha1.TargetStatus{PodName: "web-0", Container: "app"},
			Debugger:     &v1alpha1.DebuggerStatus{PodName: "web-0", ContainerName: ContainerName(uidA)},
			HardDeadline: &metav1.Time{Time: now.Add(time.Hour)},
		},
	}
	if mode == v1alpha1.ModePodCopy {
		session.Status.Debugger.PodName = CopyName("web-0", uidA)
		session.Spec.PodCopy = &v1alpha1.PodCopy{}
	}
	if mode == v1alpha1.ModeNode {
		session.Spec.Target = v1alpha1.Target{NodeName: "node-1"}
		session.Status.Target = &v1alpha1.TargetStatus{NodeName: "node-1"}
		session.Status.Debugger.PodName = NodePodName("node-1", uidA)
	}
	for _, change := range changes {
		change(session)
	}
	return session
}

func readTarget(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "targets", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(data, pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// compareGolden compares what was built with testdata/golden/NAME.yaml.
func compareGolden(t *testing.T, name string, built any) {
	t.Helper()
	got, err := yaml.Marshal(built)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "golden", name+".yaml")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (- as recorded, + as built; go test ./internal/debugpod -update records it):\n%s", path, diff)
	}
}

func profile(p v1alpha1.Profile) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) { s.Spec.Profile = p }
}

func keep(what ...v1alpha1.Keep) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) { s.Spec.PodCopy.Keep = what }
}

// everyField sets each field that a debugger has in both modes.
func everyField(s *v1alpha1.DebugSession) {
	s.Spec.Debugger = v1alpha1.Debugger{
		Image:      "registry.example/tools@sha256:0123",
		Command:    []string{"dlv"},
		Args:       []string{"attach", "1"},
		WorkingDir: "/work",
		Env:        []corev1.EnvVar{{Name: "A", Value: "1"}},
		EnvFrom: []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
		},
		VolumeMounts:             []corev1.VolumeMount{{Name: "data", MountPath: "/data", ReadOnly: true}},
		SecurityContext:          &corev1.SecurityContext{RunAsUser: new(int64(1000)), RunAsNonRoot: new(true)},
		ImagePullPolicy:          corev1.PullNever,
		Stdin:                    true,
		StdinOnce:                true,
		TTY:                      true,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

func TestEphemeralGolden(t *testing.T) {
	for name, session := range map[string]*v1alpha1.DebugSession{
		"ephemeral-general":     admitted(v1alpha1.ModeEphemeralContainer),
		"ephemeral-baseline":    admitted(v1alpha1.ModeEphemeralContainer, profile(v1alpha1.ProfileBaseline)),
		"ephemeral-restricted":  admitted(v1alpha1.ModeEphemeralContainer, profile(v1alpha1.ProfileRestricted)),
		"ephemeral-netadmin":    admitted(v1alpha1.ModeEphemeralContainer, profile(v1alpha1.ProfileNetadmin)),
		"ephemeral-sysadmin":    admitted(v1alpha1.ModeEphemeralContainer, profile(v1alpha1.ProfileSysadmin)),
		"ephemeral-legacy":      admitted(v1alpha1.ModeEphemeralContainer, profile(v1alpha1.ProfileLegacy)),
		"ephemeral-every-field": admitted(v1alpha1.ModeEphemeralContainer, everyField),
		"ephemeral-joins-none": admitted(v1alpha1.ModeEphemeralContainer, func(s *v1alpha1.DebugSession) {
			s.Status.Target.Container = ""
		}),
	} {
		t.Run(name, func(t *testing.T) {
			built, err := Ephemeral(session, readTarget(t, "web-0"))
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, name, built)
		})
	}
}

func TestCopyGolden(t *testing.T) {
	for _, test := range []struct {
		name, target string
		session      *v1alpha1.DebugSession
	}{
		{"copy-general", "web-0", admitted(v1alpha1.ModePodCopy)},
		{"copy-restricted", "web-0", admitted(v1alpha1.ModePodCopy, profile(v1alpha1.ProfileRestricted))},
		{"copy-legacy", "web-0", admitted(v1alpha1.ModePodCopy, profile(v1alpha1.ProfileLegacy))},
		{"copy-every-field", "web-0", admitted(v1alpha1.ModePodCopy, everyField)},
		{"copy-keep-nothing", "web-0", admitted(v1alpha1.ModePodCopy, keep())},
		{"copy-keep-all",
			"web-0", admitted(v1alpha1.ModePodCopy, keep(v1alpha1.KeepLabels, v1alpha1.KeepAnnotations, v1alpha1.KeepInitContainers,
				v1alpha1.KeepLivenessProbe, v1alpha1.KeepReadinessProbe, v1alpha1.KeepStartupProbe))},
		{"copy-same-node", "web-0", admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) { s.Spec.PodCopy.SameNode = true })},
		{"copy-host-pid", "host", admitted(v1alpha1.ModePodCopy)},
		{"copy-windows", "windows", admitted(v1alpha1.ModePodCopy)},
		{"copy-changes", "web-0", admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) {
			s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{
				{Name: "proxy", Image: "proxy:debug"},
				{
					Name:    "app",
					Command: []string{"sleep", "infinity"},
					Env:     []corev1.EnvVar{{Name: "MODE", Value: "debug"}, {Name: "TRACE", Value: "1"}},
				},
				{Name: "migrate", Image: "migrate:debug", Args: []string{"--dry-run"}},
				{Name: "*", Image: "busybox:1.36"},
			}
		})},
		{"copy-only-changes", "web-0", admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger = v1alpha1.Debugger{}
			s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "web:debug"}}
		})},
		{"copy-existing", "web-0", admitted(v1alpha1.ModePodCopy, everyField, func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.Container = "app"
		})},
		{"copy-existing-init", "web-0", admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger = v1alpha1.Debugger{Container: "migrate", Command: []string{"sh"}, Stdin: true}
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			built, err := Copy(test.session, readTarget(t, test.target), now)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, test.name, built)
		})
	}
}

func TestNodeGolden(t *testing.T) {
	for name, session := range map[string]*v1alpha1.DebugSession{
		"node-general":    admitted(v1alpha1.ModeNode),
		"node-baseline":   admitted(v1alpha1.ModeNode, profile(v1alpha1.ProfileBaseline)),
		"node-restricted": admitted(v1alpha1.ModeNode, profile(v1alpha1.ProfileRestricted)),
		"node-netadmin":   admitted(v1alpha1.ModeNode, profile(v1alpha1.ProfileNetadmin)),
		"node-sysadmin":   admitted(v1alpha1.ModeNode, profile(v1alpha1.ProfileSysadmin)),
		"node-legacy":     admitted(v1alpha1.ModeNode, profile(v1alpha1.ProfileLegacy)),
		"node-every-field": admitted(v1alpha1.ModeNode, everyField, func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "host-root", MountPath: "/host", ReadOnly: true}}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			built, err := Node(session, now)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, name, built)
		})
	}
	t.Run("no volume but the node's", func(t *testing.T) {
		_, err := Node(admitted(v1alpha1.ModeNode, everyField), now)
		wantInvalid(t, err, "spec.debugger.volumeMounts[0].name")
	})
}

// wantInvalid checks that err is an *InvalidError about that field.
func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("error %v, want an *InvalidError", err)
	}
	if invalid.Field != field || invalid.Error() != field+": "+invalid.Message {
		t.Errorf("*InvalidError about %q (%q), want one about %q", invalid.Field, invalid.Message, field)
	}
}
