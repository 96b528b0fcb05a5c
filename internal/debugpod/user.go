package debugpod

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const runAsField = "spec.debugger.runAs"

// runAsTarget has the debugger run as the user and the group of the target's container. The kernel lets a process look
// into another one only if both are the same, or if it has the capability for it, which only root gets.
func runAsTarget(session *v1alpha1.DebugSession, target *corev1.Pod, sc *corev1.SecurityContext) (*corev1.SecurityContext, error) {
	if isWindows(target) {
		return nil, &InvalidError{Field: runAsField, Message: "the target is a Windows pod, whose users have no numeric IDs: set securityContext.windowsOptions.runAsUserName"}
	}
	name := cmp.Or(session.Spec.Target.Container, DefaultContainer(target))
	user, group := userOf(target, name)
	if user == nil {
		return nil, &InvalidError{
			Field: runAsField,
			Message: fmt.Sprintf("the user of container %q of pod %s is set by its image, and shown by neither its security context nor its status: set securityContext.runAsUser",
				name, target.Name),
		}
	}
	sc = orEmpty(sc)
	if sc.RunAsNonRoot != nil && *sc.RunAsNonRoot && *user == 0 {
		return nil, &InvalidError{
			Field:   runAsField,
			Message: fmt.Sprintf("container %q of pod %s runs as root, which runAsNonRoot forbids for the debugger: use a profile other than restricted, or remove runAs", name, target.Name),
		}
	}
	sc.RunAsUser, sc.RunAsGroup = user, group
	return sc, nil
}

// UserUnknown reports whether a debugger that runs as its target cannot be built as it should be yet: neither the specification
// of the target nor its status tells both its user and its group.
func UserUnknown(spec *v1alpha1.DebugSessionSpec, target *corev1.Pod) bool {
	user, group := userOf(target, cmp.Or(spec.Target.Container, DefaultContainer(target)))
	return !isWindows(target) && (user == nil || group == nil)
}

// userOf returns the numbers of the user and the group that a container runs as, each nil if it cannot be told: what its
// own security context says, else its pod's, else what the kubelet saw when it started.
func userOf(pod *corev1.Pod, name string) (user, group *int64) {
	if own := securityContextOf(pod, name); own != nil {
		user, group = own.RunAsUser, own.RunAsGroup
	}
	if sc := pod.Spec.SecurityContext; sc != nil {
		user, group = cmp.Or(user, sc.RunAsUser), cmp.Or(group, sc.RunAsGroup)
	}
	for _, status := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses) {
		if status.Name == name && status.User != nil && status.User.Linux != nil {
			user, group = cmp.Or(user, &status.User.Linux.UID), cmp.Or(group, &status.User.Linux.GID)
		}
	}
	return clone(user), clone(group)
}

// securityContextOf is that of a container, an ephemeral one included.
func securityContextOf(pod *corev1.Pod, name string) *corev1.SecurityContext {
	if container := findContainer(&pod.Spec, name); container != nil {
		return container.SecurityContext
	}
	for i := range pod.Spec.EphemeralContainers {
		if container := &pod.Spec.EphemeralContainers[i]; container.Name == name {
			return container.SecurityContext
		}
	}
	return nil
}

// OtherUser returns the users that a debugger and its target run as, if they differ and the debugger may therefore not look into the
// target's processes and files. Where it cannot be told, other is false. Root needs the capability SYS_PTRACE for it as well.
func OtherUser(pod *corev1.Pod, debugger, target string) (own, theirs int64, other bool) {
	user, group := userOf(pod, debugger)
	targetUser, targetGroup := userOf(pod, target)
	if isWindows(pod) || user == nil || targetUser == nil || *user == 0 && mayTrace(securityContextOf(pod, debugger)) {
		return 0, 0, false
	}
	sameGroup := group == nil || targetGroup == nil || *group == *targetGroup
	return *user, *targetUser, *user != *targetUser || !sameGroup
}

func mayTrace(sc *corev1.SecurityContext) bool {
	if sc == nil {
		return false
	}
	return sc.Privileged != nil && *sc.Privileged || sc.Capabilities != nil && slices.ContainsFunc(sc.Capabilities.Add, func(c corev1.Capability) bool {
		return c == "ALL" || strings.TrimPrefix(string(c), "CAP_") == "SYS_PTRACE"
	})
}

func clone(n *int64) *int64 {
	if n == nil {
		return nil
	}
	c := *n
	return &c
}
