package policy_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/policy"
)

func madeFor(options ...fixture.SessionOption) *v1alpha1.DebugSession {
	session := fixture.Session(options...)
	session.Status.Class = &v1alpha1.ClassStatus{Profile: v1alpha1.ProfileNetadmin, Allows: &v1alpha1.ClassAllows{}}
	session.Status.Debugger = &v1alpha1.DebuggerStatus{ContainerName: "debugger"}
	return session
}

func TestCheckAdded(t *testing.T) {
	session := madeFor()
	for name, tc := range map[string]struct {
		sc   *corev1.SecurityContext
		says string
	}{
		"nothing": {nil, ""},
		"what the profile adds": {
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}},
			"",
		},
		"what every container has": {
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"CAP_CHOWN"}}},
			"",
		},
		"what another profile adds": {
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}},
			"capabilities.add: SYS_PTRACE",
		},
		"everything":                      {&corev1.SecurityContext{Privileged: new(true)}, "privileged: true"},
		"root, as the target's container": {&corev1.SecurityContext{RunAsUser: new(int64(0))}, "remove runAs"},
	} {
		added := &corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", SecurityContext: tc.sc},
		}
		why := policy.CheckAdded(session, added, fixture.Pod())
		if (why != "") != (tc.says != "") || !strings.Contains(why, tc.says) {
			t.Errorf("%s: it says %q, want %q", name, why, tc.says)
		}
	}
	session.Status.Class.Allows.SecurityContext = true
	added := &corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{SecurityContext: &corev1.SecurityContext{Privileged: new(true)}},
	}
	if why := policy.CheckAdded(session, added, fixture.Pod()); why != "" {
		t.Errorf("where the class allows it: %s", why)
	}
}

// A container of the copy that runs its own program has what it has in the target. One that runs another is held to the class.
func TestCheckCreated(t *testing.T) {
	changed := func(change v1alpha1.ContainerChange) *v1alpha1.DebugSession {
		return madeFor(fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Containers = []v1alpha1.ContainerChange{change} }))
	}
	privileged := corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "setup", SecurityContext: &corev1.SecurityContext{Privileged: new(true)}}},
	}
	mounting := corev1.PodSpec{Containers: []corev1.Container{{Name: "app", VolumeMounts: []corev1.VolumeMount{{Name: "data"}}}}}
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		spec    *corev1.PodSpec
		says    string
	}{
		"as it is":             {madeFor(), &privileged, ""},
		"with other resources": {changed(v1alpha1.ContainerChange{Name: "setup"}), &privileged, ""},
		"with another command": {
			changed(v1alpha1.ContainerChange{Name: "setup", Command: []string{"sh"}}),
			&privileged,
			"spec.podCopy.containers[0]: container \"setup\" would have securityContext.privileged",
		},
		"with another image and volumes": {
			changed(v1alpha1.ContainerChange{Name: "*", Image: "sh:1"}),
			&mounting,
			`container "app" has volume data of the target`,
		},
	} {
		why := policy.CheckCreated(tc.session, tc.spec)
		if (why != "") != (tc.says != "") || !strings.Contains(why, tc.says) {
			t.Errorf("%s: it says %q, want %q", name, why, tc.says)
		}
	}
}
