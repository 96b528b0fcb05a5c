package debugpod

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	hostRootVolume = "host-root"
	hostRootPath   = "/host"
)

// Node builds the pod by which an admitted session debugs a node: the debugger alone, with what the profile shares of the
// node. It tolerates every taint and is not scheduled. It reads the session's spec, status.class.allows, status.target.nodeName,
// status.debugger and status.hardDeadline, at which the kubelet ends it as it ends a copy.
//
// It returns an *InvalidError if the session can never be built, and a *ForbiddenError if its class does not allow it.
func Node(session *v1alpha1.DebugSession, now time.Time) (*corev1.Pod, error) {
	if err := checkAdmitted(session); err != nil {
		return nil, err
	}
	if session.Status.Target == nil || session.Status.Target.NodeName == "" {
		return nil, errNotAdmitted
	}
	pod := ownPod(session)
	pod.Spec.NodeName = session.Status.Target.NodeName
	profile, err := traitsOf(session.Spec.Profile)
	if err != nil {
		return nil, err
	}
	mounts := shareNode(&pod.Spec, profile)
	debugger, err := debuggerContainer(session, pod)
	if err != nil {
		return nil, err
	}
	debugger.VolumeMounts = before(mounts, debugger.VolumeMounts, mountPath)
	pod.Spec.Containers = []corev1.Container{*debugger}
	addPullSecrets(&pod.Spec, session)
	withhold(&pod.Spec, allowed(session))
	if err := boundResources(&pod.Spec, session); err != nil {
		return nil, err
	}
	setEnd(&pod.Spec, session.Status.HardDeadline.Sub(now))
	return pod, nil
}

// ownPod is a pod of the session's own on a node, without what is in it. Nothing drives it off.
func ownPod(session *v1alpha1.DebugSession) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            session.Status.Debugger.PodName,
			Namespace:       session.Namespace,
			Labels:          map[string]string{v1alpha1.LabelSessionUID: string(session.UID)},
			Annotations:     map[string]string{v1alpha1.AnnotationSession: session.Name},
			OwnerReferences: []metav1.OwnerReference{OwnerReference(session)},
		},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Tolerations:   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
	}
}

// shareNode gives the pod what its profile shares of the node, and returns the mount of the node's files.
func shareNode(spec *corev1.PodSpec, profile traits) []corev1.VolumeMount {
	spec.HostNetwork, spec.HostPID, spec.HostIPC = profile.nodeNamespaces, profile.nodeNamespaces, profile.nodeNamespaces
	if !profile.nodeFiles {
		return nil
	}
	spec.Volumes = []corev1.Volume{{
		Name:         hostRootVolume,
		VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}},
	}}
	return []corev1.VolumeMount{{Name: hostRootVolume, MountPath: hostRootPath}}
}
