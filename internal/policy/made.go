package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// CheckAdded says why the class does not allow the ephemeral container that would be added to the target; empty if it does. Check
// looks at what a session says itself; this and CheckCreated are about what it gets from its target: the privileges and volumes of
// containers that become the debugger or run another program, and the target's user.
func CheckAdded(session *v1alpha1.DebugSession, added *corev1.EphemeralContainer, target *corev1.Pod) string {
	container := corev1.Container(added.EphemeralContainerCommon)
	return checkMadePrivileges(session, recordedAllows(session), &container, target.Spec.SecurityContext, "spec.debugger")
}

// CheckCreated says why the class does not allow the pod that would be created; empty if it does. In that of a session in a pod's network
// nothing comes from a target, and its builder alone decides the privileges.
func CheckCreated(session *v1alpha1.DebugSession, spec *corev1.PodSpec) string {
	if session.Spec.Target.IsPodNetwork() {
		return ""
	}
	allows := recordedAllows(session)
	for i := range spec.Containers {
		if why := checkMadeContainer(session, allows, &spec.Containers[i], spec.SecurityContext); why != "" {
			return why
		}
	}
	for i := range spec.InitContainers {
		if why := checkMadeContainer(session, allows, &spec.InitContainers[i], spec.SecurityContext); why != "" {
			return why
		}
	}
	return ""
}

func recordedAllows(session *v1alpha1.DebugSession) v1alpha1.ClassAllows {
	if allows := session.Status.Class.Allows; allows != nil {
		return *allows
	}
	return v1alpha1.ClassAllows{}
}

func checkMadeContainer(session *v1alpha1.DebugSession, allows v1alpha1.ClassAllows, container *corev1.Container, pod *corev1.PodSecurityContext) string {
	field := changedBy(&session.Spec, container.Name)
	switch {
	case container.Name == session.Status.Debugger.ContainerName && !debugpod.OnlyChanges(&session.Spec):
		field = "spec.debugger"
		if session.Spec.Debugger.Container != "" {
			field = "spec.debugger.container"
		}
	case field == "":
		return "" // it runs its own program, as in the target
	case !allows.Volumes && reads(container) != "":
		return forbids(session, "%s: container %q has %s of the target, and mounting or reading that is not allowed; leave the container unchanged", field, container.Name, reads(container))
	}
	return checkMadePrivileges(session, allows, container, pod, field)
}

// changedBy is the field by which a session has a container of the copy run another program; empty if it does not.
func changedBy(spec *v1alpha1.DebugSessionSpec, container string) string {
	if spec.PodCopy == nil {
		return ""
	}
	for i := range spec.PodCopy.Containers {
		change := &spec.PodCopy.Containers[i]
		if change.Name != container && change.Name != "*" {
			continue
		}
		if change.Image != "" || len(change.Command) > 0 || len(change.Args) > 0 || len(change.Env) > 0 {
			return fmt.Sprintf("spec.podCopy.containers[%d]", i)
		}
	}
	return ""
}

// reads is what a container sees of volumes, ConfigMaps and Secrets; empty if it sees none.
func reads(container *corev1.Container) string {
	switch {
	case len(container.VolumeMounts) > 0:
		return "volume " + container.VolumeMounts[0].Name
	case len(container.VolumeDevices) > 0:
		return "volume " + container.VolumeDevices[0].Name
	case len(container.EnvFrom) > 0:
		return "environment variables from a ConfigMap or Secret"
	}
	for i := range container.Env {
		if readsObject(&container.Env[i]) {
			return "variable " + container.Env[i].Name
		}
	}
	return ""
}

func checkMadePrivileges(session *v1alpha1.DebugSession, allows v1alpha1.ClassAllows, container *corev1.Container, pod *corev1.PodSecurityContext, field string) string {
	if allows.SecurityContext {
		return ""
	}
	has := beyond(container.SecurityContext, pod, given(session, field))
	if has == "" {
		return ""
	}
	remedy := "leave the container unchanged"
	switch field {
	case "spec.debugger":
		remedy = "remove runAs, or set securityContext.runAsUser to a number other than 0"
	case "spec.debugger.container":
		remedy = "add a debugger instead, or use profile baseline or restricted, which keep nothing of the target's securityContext"
	}
	if session.Spec.Debugger.RunAs != "" && has == "runAsUser: 0" && field != "" {
		field, remedy = "spec.debugger.runAs", "the target's container runs as root; remove runAs, or set securityContext.runAsUser"
	}
	return forbids(session, "%s: container %q would have securityContext.%s, which goes beyond the profile and is not allowed; %s, or choose another class",
		field, container.Name, has, remedy)
}

// given is the profile by which a container is the debugger; none for one that only runs another program.
func given(session *v1alpha1.DebugSession, field string) v1alpha1.Profile {
	if field == "spec.debugger" || field == "spec.debugger.container" {
		return session.Status.Class.Profile
	}
	return ""
}

func forbids(session *v1alpha1.DebugSession, format string, args ...any) string {
	return by(session.Spec.ClassName, fmt.Sprintf(format, args...))
}

// ordinaryCapabilities are those that a container runtime gives every container which does not drop them.
var ordinaryCapabilities = []corev1.Capability{"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}

// beyond names the first thing that a container has beyond what its profile and an ordinary container have.
func beyond(sc *corev1.SecurityContext, pod *corev1.PodSecurityContext, profile v1alpha1.Profile) string {
	if sc == nil {
		return ""
	}
	isTrue := func(b *bool) bool { return b != nil && *b }
	for _, f := range []struct {
		has bool
		is  string
	}{
		{isTrue(sc.Privileged) && !debugpod.GrantsPrivileged(profile), "privileged: true"},
		{extraCapability(sc, profile) != "", "capabilities.add: " + string(extraCapability(sc, profile))},
		{isTrue(sc.AllowPrivilegeEscalation), "allowPrivilegeEscalation: true"},
		{sc.RunAsUser != nil && *sc.RunAsUser == 0, "runAsUser: 0"},
		{sc.RunAsNonRoot != nil && !*sc.RunAsNonRoot && pod != nil && isTrue(pod.RunAsNonRoot), "runAsNonRoot: false"},
		{sc.ProcMount != nil && *sc.ProcMount != corev1.DefaultProcMount, "procMount"},
		{sc.SeccompProfile != nil && sc.SeccompProfile.Type == corev1.SeccompProfileTypeUnconfined, "seccompProfile: Unconfined"},
		{sc.AppArmorProfile != nil && sc.AppArmorProfile.Type == corev1.AppArmorProfileTypeUnconfined, "appArmorProfile: Unconfined"},
		{sc.SELinuxOptions != nil, "seLinuxOptions"},
		{sc.WindowsOptions != nil, "windowsOptions"},
	} {
		if f.has {
			return f.is
		}
	}
	return ""
}

func extraCapability(sc *corev1.SecurityContext, profile v1alpha1.Profile) corev1.Capability {
	if sc.Capabilities == nil {
		return ""
	}
	for _, capability := range sc.Capabilities.Add {
		short := corev1.Capability(strings.TrimPrefix(string(capability), "CAP_"))
		if !slices.Contains(debugpod.GrantedCapabilities(profile), short) && !slices.Contains(ordinaryCapabilities, short) {
			return capability
		}
	}
	return ""
}
