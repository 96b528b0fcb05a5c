package debugpod

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestProfileOnAContainerThatIsThere(t *testing.T) {
	no, yes := new(false), new(true)
	guarded := &corev1.SecurityContext{
		RunAsUser: new(int64(1000)), AllowPrivilegeEscalation: no,
		Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE", "CHOWN"}, Drop: []corev1.Capability{"ALL"}},
	}
	for _, test := range []struct {
		name    string
		profile v1alpha1.Profile
		own     *corev1.SecurityContext
		want    *corev1.SecurityContext
	}{
		{"general adds nothing twice", v1alpha1.ProfileGeneral, nil, guarded},
		{"netadmin adds to what is there", v1alpha1.ProfileNetadmin, nil, &corev1.SecurityContext{
			RunAsUser: new(int64(1000)), AllowPrivilegeEscalation: no,
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE", "CHOWN", "NET_ADMIN", "NET_RAW"},
				Drop: []corev1.Capability{"ALL"}},
		}},
		{"sysadmin lifts what contradicts it", v1alpha1.ProfileSysadmin, nil, &corev1.SecurityContext{
			RunAsUser: new(int64(1000)), Privileged: yes,
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE", "CHOWN"}, Drop: []corev1.Capability{"ALL"}},
		}},
		{"baseline begins afresh", v1alpha1.ProfileBaseline, nil, nil},
		{"restricted begins afresh", v1alpha1.ProfileRestricted, nil, &corev1.SecurityContext{
			RunAsNonRoot: yes, AllowPrivilegeEscalation: no,
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}},
		{"legacy leaves it", v1alpha1.ProfileLegacy, nil, guarded},
		{"the author's fields win, each by itself", v1alpha1.ProfileGeneral,
			&corev1.SecurityContext{RunAsUser: new(int64(0)), Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"KILL"}}},
			&corev1.SecurityContext{
				RunAsUser: new(int64(0)), AllowPrivilegeEscalation: no,
				Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"KILL"}, Drop: []corev1.Capability{"ALL"}},
			}},
	} {
		target := readTarget(t, "web-0")
		target.Spec.Containers[0].SecurityContext = guarded.DeepCopy()
		session := admitted(v1alpha1.ModePodCopy, profile(test.profile))
		session.Spec.Debugger = v1alpha1.Debugger{Container: target.Spec.Containers[0].Name, SecurityContext: test.own}
		copied, err := Copy(session, target, now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, copied.Spec.Containers[0].SecurityContext); diff != "" {
			t.Errorf("%s (- wanted, + built):\n%s", test.name, diff)
		}
	}
}

func TestDebuggerName(t *testing.T) {
	changed := func(names ...string) func(*v1alpha1.DebugSession) {
		return func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger = v1alpha1.Debugger{}
			for _, name := range names {
				s.Spec.PodCopy.Containers = append(s.Spec.PodCopy.Containers, v1alpha1.ContainerChange{Name: name, Image: "a"})
			}
		}
	}
	for _, test := range []struct {
		name    string
		session *v1alpha1.DebugSession
		want    string
	}{
		{"one that is added", admitted(v1alpha1.ModePodCopy), ContainerName(uidA)},
		{"one that is added beside changes", admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) {
			s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "proxy", Image: "a"}}
		}), ContainerName(uidA)},
		{
			"one that is there",
			admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Container = "proxy" }),
			"proxy",
		},
		{"the first that is changed, no init container", admitted(v1alpha1.ModePodCopy, changed("*", "migrate", "proxy", "app")), "proxy"},
		{"the default if all are", admitted(v1alpha1.ModePodCopy, changed("*")), "app"},
		{
			"the one that is named",
			admitted(v1alpha1.ModePodCopy, changed("proxy"), func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "app" }),
			"app",
		},
	} {
		if got := DebuggerName(test.session, readTarget(t, "web-0")); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestContainerToTakeOver(t *testing.T) {
	target := readTarget(t, "web-0")
	for name, session := range map[string]*v1alpha1.DebugSession{
		"gone": admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Container = "gone" }),
		"not kept": admitted(v1alpha1.ModePodCopy, keep(v1alpha1.KeepLabels),
			func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Container = "migrate" }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Copy(session, target, now)
			wantInvalid(t, err, "spec.debugger.container")
		})
	}
}
