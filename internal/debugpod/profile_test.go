package debugpod

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestOwnFieldsWinOverTheProfile(t *testing.T) {
	runtimeDefault := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	unconfined := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	dropAll := []corev1.Capability{"ALL"}
	for _, test := range []struct {
		name      string
		profile   v1alpha1.Profile
		own, want *corev1.SecurityContext
	}{
		{"no profile is general", "",
			nil,
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}}},
		{"other fields stay beside the profile's", v1alpha1.ProfileGeneral,
			&corev1.SecurityContext{RunAsUser: new(int64(7)), Capabilities: &corev1.Capabilities{Drop: dropAll}},
			&corev1.SecurityContext{
				RunAsUser:    new(int64(7)),
				Capabilities: &corev1.Capabilities{Drop: dropAll, Add: []corev1.Capability{"SYS_PTRACE"}},
			}},
		{"own capabilities replace the profile's", v1alpha1.ProfileNetadmin,
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_RAW"}}},
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_RAW"}}}},
		{"a capability that is there is not added twice", v1alpha1.ProfileGeneral,
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}},
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}}},
		{"baseline adds nothing and keeps what is set", v1alpha1.ProfileBaseline,
			&corev1.SecurityContext{RunAsGroup: new(int64(7))},
			&corev1.SecurityContext{RunAsGroup: new(int64(7))}},
		{"sysadmin, told not to be privileged", v1alpha1.ProfileSysadmin,
			&corev1.SecurityContext{Privileged: new(false), AllowPrivilegeEscalation: new(false)},
			&corev1.SecurityContext{Privileged: new(false), AllowPrivilegeEscalation: new(false)}},
		{"restricted fills what is left open", v1alpha1.ProfileRestricted,
			&corev1.SecurityContext{
				RunAsNonRoot:   new(false),
				SeccompProfile: unconfined,
				Capabilities:   &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}},
			},
			&corev1.SecurityContext{RunAsNonRoot: new(false), SeccompProfile: unconfined, AllowPrivilegeEscalation: new(false),
				Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}, Drop: dropAll}}},
		{"restricted leaves out what Kubernetes forbids beside privileged", v1alpha1.ProfileRestricted,
			&corev1.SecurityContext{Privileged: new(true)},
			&corev1.SecurityContext{Privileged: new(true), RunAsNonRoot: new(true), SeccompProfile: runtimeDefault,
				Capabilities: &corev1.Capabilities{Drop: dropAll}}},
		{"restricted leaves out what Kubernetes forbids beside CAP_SYS_ADMIN", v1alpha1.ProfileRestricted,
			&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"CAP_SYS_ADMIN"}}},
			&corev1.SecurityContext{RunAsNonRoot: new(true), SeccompProfile: runtimeDefault,
				Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"CAP_SYS_ADMIN"}, Drop: dropAll}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := admitted(v1alpha1.ModeEphemeralContainer, profile(test.profile))
			session.Spec.Debugger.SecurityContext = test.own
			built, err := Ephemeral(session, readTarget(t, "web-0"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, built.SecurityContext); diff != "" {
				t.Errorf("security context (- wanted, + built):\n%s", diff)
			}
		})
	}
}

func TestProfilesOnWindows(t *testing.T) {
	own := &corev1.SecurityContext{WindowsOptions: &corev1.WindowsSecurityContextOptions{RunAsUserName: new("ContainerUser")}}
	for p, want := range map[v1alpha1.Profile]*corev1.SecurityContext{
		v1alpha1.ProfileGeneral:    {WindowsOptions: own.WindowsOptions},
		v1alpha1.ProfileBaseline:   {WindowsOptions: own.WindowsOptions},
		v1alpha1.ProfileLegacy:     {WindowsOptions: own.WindowsOptions},
		v1alpha1.ProfileRestricted: {WindowsOptions: own.WindowsOptions, RunAsNonRoot: new(true)},
	} {
		session := admitted(v1alpha1.ModePodCopy, profile(p))
		session.Spec.Debugger.SecurityContext = own
		built, err := Copy(session, readTarget(t, "windows"), now)
		if err != nil {
			t.Errorf("profile %s: %v", p, err)
			continue
		}
		if diff := cmp.Diff(want, built.Spec.Containers[1].SecurityContext); diff != "" {
			t.Errorf("profile %s (- wanted, + built):\n%s", p, diff)
		}
	}
	for _, p := range []v1alpha1.Profile{v1alpha1.ProfileNetadmin, v1alpha1.ProfileSysadmin, "unheard"} {
		_, err := Copy(admitted(v1alpha1.ModePodCopy, profile(p)), readTarget(t, "windows"), now)
		wantInvalid(t, err, "spec.profile")
	}
}

func TestEveryProfileMeansSomething(t *testing.T) {
	for _, p := range v1alpha1.Profiles() {
		if _, err := traitsOf(p); err != nil {
			t.Errorf("the table in profile.go lacks %s: %v", p, err)
		}
	}
}

func TestProfilesThatCannotBe(t *testing.T) {
	_, err := Ephemeral(admitted(v1alpha1.ModeEphemeralContainer, profile("unheard")), readTarget(t, "web-0"))
	wantInvalid(t, err, "spec.profile")

	contradicts := admitted(v1alpha1.ModeEphemeralContainer, profile(v1alpha1.ProfileSysadmin))
	contradicts.Spec.Debugger.SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: new(false)}
	_, err = Ephemeral(contradicts, readTarget(t, "web-0"))
	wantInvalid(t, err, "spec.debugger.securityContext.allowPrivilegeEscalation")
}
