package debugpod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	// targetRootVariable tells a debugger where its target's files are.
	targetRootVariable = "TARGET_ROOT"

	// targetRoot is there for who has joined a container's process namespace, in which its first process is number 1.
	targetRoot = "/proc/1/root"
)

// Ephemeral builds the ephemeral container of an admitted session. It reads the session's spec,
// status.debugger.containerName, and status.target.container, whose process namespace it joins; if that is empty it
// joins none.
//
// A debugger that joins a container finds that one's files where the variable TARGET_ROOT says.
//
// It returns an *InvalidError if the session can never be built for this target: a container or a volume that the target
// does not have, or a profile that contradicts the session's own fields.
func Ephemeral(session *v1alpha1.DebugSession, target *corev1.Pod) (*corev1.EphemeralContainer, error) {
	joined := ""
	if session.Status.Target != nil {
		joined = session.Status.Target.Container
	}
	if joined != "" && !hasContainer(target.Spec.Containers, joined) && !hasContainer(target.Spec.InitContainers, joined) {
		return nil, unknownContainer("spec.target.container", joined, target)
	}
	container, err := debuggerContainer(session, target)
	if err != nil {
		return nil, err
	}
	if err := takeEnvironment(container, session, target, &target.Spec, &target.ObjectMeta); err != nil {
		return nil, err
	}
	if joined != "" && Joins(target) {
		addTargetRoot(container, session.Spec.Debugger.Env)
	}
	return &corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon(*container),
		TargetContainerName:      joined,
	}, nil
}

// Joins reports whether the kubelet will have a debugger join a container's process namespace. It does not if the pod's
// containers share one, or are in the host's: number 1 is not the target's there.
func Joins(target *corev1.Pod) bool {
	shared := target.Spec.ShareProcessNamespace
	return !target.Spec.HostPID && (shared == nil || !*shared) && !isWindows(target)
}

// addTargetRoot sets the variable before the author's own, so that those can speak of it, and unless the author set it.
func addTargetRoot(container *corev1.Container, own []corev1.EnvVar) {
	isTargetRoot := func(v corev1.EnvVar) bool { return v.Name == targetRootVariable }
	if slices.ContainsFunc(own, isTargetRoot) {
		return
	}
	container.Env = slices.DeleteFunc(container.Env, isTargetRoot)
	container.Env = slices.Insert(container.Env, 0, corev1.EnvVar{Name: targetRootVariable, Value: targetRoot})
}
