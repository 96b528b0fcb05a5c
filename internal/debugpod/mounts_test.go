package debugpod

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestMountsFrom(t *testing.T) {
	target := readTarget(t, "web-0")
	target.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{
		{Name: "data", MountPath: "/data", MountPropagation: new(corev1.MountPropagationBidirectional)},
		{Name: "data", MountPath: "/etc/app.conf", SubPath: "app.conf", ReadOnly: true},
		{Name: "data", MountPath: "/logs", SubPathExpr: "$(HOSTNAME)"},
	}
	from := func(container string, own ...corev1.VolumeMount) func(*v1alpha1.DebugSession) {
		return func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.MountsFrom, s.Spec.Debugger.VolumeMounts = container, own
		}
	}
	received := corev1.VolumeMount{Name: "data", MountPath: "/data", MountPropagation: new(corev1.MountPropagationHostToContainer)}
	mine := corev1.VolumeMount{Name: "data", MountPath: "/data", ReadOnly: true}
	other := corev1.VolumeMount{Name: "data", MountPath: "/mnt"}
	for _, test := range []struct {
		name    string
		session *v1alpha1.DebugSession
		want    []corev1.VolumeMount
		left    []string
	}{
		{"ephemeral, without parts of volumes", admitted(v1alpha1.ModeEphemeralContainer, from("app")), []corev1.VolumeMount{received},
			[]string{"/etc/app.conf", "/logs"}},
		{"copy, all of it", admitted(v1alpha1.ModePodCopy, from("app")),
			append([]corev1.VolumeMount{received}, target.Spec.Containers[0].VolumeMounts[1:]...), nil},
		{"privileged, passing on what it mounts", admitted(v1alpha1.ModeEphemeralContainer, from("app"), profile(v1alpha1.ProfileSysadmin)),
			target.Spec.Containers[0].VolumeMounts[:1], []string{"/etc/app.conf", "/logs"}},
		{"one's own wins", admitted(v1alpha1.ModeEphemeralContainer, from("app", other, mine)), []corev1.VolumeMount{other, mine},
			[]string{"/etc/app.conf", "/logs"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []corev1.VolumeMount
			if test.session.Spec.Mode == v1alpha1.ModePodCopy {
				copied, err := Copy(test.session, target, now)
				if err != nil {
					t.Fatal(err)
				}
				got = copied.Spec.Containers[2].VolumeMounts
			} else {
				built, err := Ephemeral(test.session, target)
				if err != nil {
					t.Fatal(err)
				}
				got = built.VolumeMounts
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("mounts (- wanted, + built):\n%s", diff)
			}
			if diff := cmp.Diff(test.left, MountsLeftOut(&test.session.Spec, target)); diff != "" {
				t.Errorf("left out (- wanted, + got):\n%s", diff)
			}
		})
	}
	for name, says := range map[string]string{
		"gone": `has no container or init container "gone": use one of app, proxy, `,
		"mesh": `container "mesh" of pod web-0 mounts no volume: use another container`,
	} {
		_, err := Ephemeral(admitted(v1alpha1.ModeEphemeralContainer, from(name)), target)
		wantInvalid(t, err, "spec.debugger.mountsFrom")
		if !strings.Contains(err.Error(), says) {
			t.Errorf("from %q: %q, want %q", name, err, says)
		}
	}
}

func TestTargetRoot(t *testing.T) {
	for _, test := range []struct {
		name   string
		pod    func(*corev1.PodSpec)
		change func(*v1alpha1.DebugSession)
		want   string
	}{
		{"joined", func(*corev1.PodSpec) {}, func(*v1alpha1.DebugSession) {}, "/proc/1/root"},
		{"not joined", func(*corev1.PodSpec) {}, func(s *v1alpha1.DebugSession) { s.Status.Target.Container = "" }, ""},
		{"in a process namespace that all share", func(p *corev1.PodSpec) { p.ShareProcessNamespace = new(true) },
			func(*v1alpha1.DebugSession) {}, ""},
		{"in one that none shares", func(p *corev1.PodSpec) { p.ShareProcessNamespace = new(false) }, func(*v1alpha1.DebugSession) {},
			"/proc/1/root"},
		{"in the host's", func(p *corev1.PodSpec) { p.HostPID = true }, func(*v1alpha1.DebugSession) {}, ""},
		{"on Windows", func(p *corev1.PodSpec) { p.OS = &corev1.PodOS{Name: corev1.Windows} }, func(*v1alpha1.DebugSession) {}, ""},
		{"as its author says", func(*corev1.PodSpec) {}, func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.Env = []corev1.EnvVar{{Name: "A"}, {Name: "TARGET_ROOT", Value: "/mine"}}
		}, "/mine"},
	} {
		target := readTarget(t, "web-0")
		test.pod(&target.Spec)
		built, err := Ephemeral(admitted(v1alpha1.ModeEphemeralContainer, test.change), target)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, v := range built.Env {
			if v.Name == "TARGET_ROOT" {
				got += v.Value
			}
		}
		if got != test.want {
			t.Errorf("%s: TARGET_ROOT is %q, want %q", test.name, got, test.want)
		}
	}
}
