package plan_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// runsAs is what the kubelet tells of a container's user.
func runsAs(name string, uid int64) fixture.PodOption {
	return func(p *corev1.Pod) {
		user := &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: uid, GID: uid}}
		for _, statuses := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses} {
			for i := range statuses {
				if statuses[i].Name == name {
					statuses[i].User = user
					return
				}
			}
		}
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses,
			corev1.ContainerStatus{Name: name, User: user, State: fixture.Running(now)})
	}
}

// The kernel lets a debugger look into processes of its own user alone, unless it is root and has SYS_PTRACE.
func TestADebuggerOfAnotherUserThanItsTarget(t *testing.T) {
	profiled := func(profile v1alpha1.Profile) fixture.SessionOption {
		return func(s *v1alpha1.DebugSession) { s.Spec.Profile = profile }
	}
	for name, tc := range map[string]struct {
		profile     v1alpha1.Profile
		own, target int64
		blind       string
	}{
		"restricted, another user's":  {v1alpha1.ProfileRestricted, 65534, 1000, "debugger.runAs: FromTarget"},
		"restricted, the same user's": {v1alpha1.ProfileRestricted, 1000, 1000, ""},
		"restricted, root's":          {v1alpha1.ProfileRestricted, 65534, 0, "profile: general"},
		"general, as root":            {v1alpha1.ProfileGeneral, 0, 1000, ""},
		"general, as somebody":        {v1alpha1.ProfileGeneral, 65534, 1000, "debugger.runAs: FromTarget"},
		"baseline, as root":           {v1alpha1.ProfileBaseline, 0, 1000, "debugger.runAs: FromTarget"},
		"baseline, root's":            {v1alpha1.ProfileBaseline, 0, 0, ""},
		"sysadmin, as root":           {v1alpha1.ProfileSysadmin, 0, 1000, ""},
		"nobody knows":                {v1alpha1.ProfileRestricted, -1, 1000, ""},
	} {
		for mode, m := range modes(t, profiled(tc.profile)) {
			if mode == v1alpha1.ModeNode {
				continue // it has no target's processes
			}
			t.Run(name+", "+string(mode), func(t *testing.T) {
				session := m.session
				changes := []fixture.PodOption{runsAs("app", tc.target)}
				if tc.own >= 0 {
					changes = append(changes, runsAs(session.Status.Debugger.ContainerName, tc.own))
				}
				if mode == v1alpha1.ModeEphemeralContainer {
					made := pass(t, about(session, target(fixture.Pod()))).Actions[0].(plan.InjectDebugger).Container
					changes = append(changes, func(p *corev1.Pod) { p.Spec.EphemeralContainers[0] = made })
				}
				p := pass(t, about(session, m.sees(fixture.Running(now), changes...)))
				w := want{phase: v1alpha1.PhaseActive, says: "runs in pod", does: does(p), wakes: session.Status.ExpiresAt.Time}
				if tc.blind != "" {
					w.says, w.warns = tc.blind, "OtherUser"
				}
				w.check(t, p)
				if tc.blind != "" {
					quiet(t, written(session, p),
						pass(t, about(written(session, p), accessIs(plan.AccessGranted), m.sees(fixture.Running(now), changes...))))
				}
			})
		}
	}
}
