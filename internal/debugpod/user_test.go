package debugpod

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestRunAsTarget(t *testing.T) {
	runAs := func(s *v1alpha1.DebugSession) { s.Spec.Debugger.RunAs = v1alpha1.RunAsFromTarget }
	of := func(uid, gid int64) *corev1.SecurityContext {
		return &corev1.SecurityContext{RunAsUser: &uid, RunAsGroup: &gid}
	}
	seen := func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{
			{Name: "proxy", User: &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: 7, GID: 7}}},
			{Name: "app", User: &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: 101, GID: 102}}},
		}
	}
	for _, test := range []struct {
		name        string
		target      func(*corev1.Pod)
		session     func(*v1alpha1.DebugSession)
		user, group int64
		field       string
	}{
		{name: "its container's", target: func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext = of(1, 2) }, user: 1, group: 2},
		{name: "its pod's", target: func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(3)), RunAsGroup: new(int64(4))}
		}, user: 3, group: 4},
		{name: "its container's before its pod's", target: func(p *corev1.Pod) {
			p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: new(int64(1))}
			p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(3)), RunAsGroup: new(int64(4))}
		}, user: 1, group: 4},
		{name: "what the kubelet saw", target: seen, user: 101, group: 102},
		{
			name:    "another container's",
			target:  seen,
			session: func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "proxy" },
			user:    7,
			group:   7,
		},
		{name: "root's", target: func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext = of(0, 0) }},
		{name: "not to be told", target: func(*corev1.Pod) {}, field: "spec.debugger.runAs"},
		{name: "root's, which its profile forbids", target: func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext = of(0, 0) },
			session: profile(v1alpha1.ProfileRestricted), field: "spec.debugger.runAs"},
		{name: "on Windows", target: func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }, field: "spec.debugger.runAs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := readTarget(t, "web-0")
			target.Spec.Containers[0].SecurityContext, target.Spec.SecurityContext = nil, nil
			test.target(target)
			session := admitted(v1alpha1.ModeEphemeralContainer, runAs)
			if test.session != nil {
				test.session(session)
			}
			built, err := Ephemeral(session, target)
			if test.field != "" {
				wantInvalid(t, err, test.field)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if sc := built.SecurityContext; *sc.RunAsUser != test.user || *sc.RunAsGroup != test.group {
				t.Errorf("runs as %d:%d, want %d:%d", *sc.RunAsUser, *sc.RunAsGroup, test.user, test.group)
			}
		})
	}
	t.Run("beside what the profile adds", func(t *testing.T) {
		target := readTarget(t, "web-0")
		target.Spec.Containers[0].SecurityContext = of(1, 2)
		built, err := Ephemeral(admitted(v1alpha1.ModeEphemeralContainer, runAs), target)
		if err != nil || len(built.SecurityContext.Capabilities.Add) != 1 {
			t.Errorf("built %+v, %v", built, err)
		}
	})
}
