package debugpod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	claimVolume    = "claim"
	claimMountPath = "/mnt"
)

// ClaimPod returns the pod to which the debugger of a claim is added: it has the claim's volume, and nothing else. It has the claim's name
// and UID for its own, and the node where one of the pods that mount the claim is, if no other node can mount it as well.
func ClaimPod(target *v1alpha1.VolumeClaim, claim *corev1.PersistentVolumeClaim, mountedBy []corev1.Pod) *corev1.Pod {
	pod := alone(claim.Namespace, claim.Name)
	pod.UID = claim.UID
	// Without readOnly here, and not only in the mount, the kubelet may write labels of SELinux to the volume.
	source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name, ReadOnly: !target.Writes()}
	pod.Spec.Volumes = []corev1.Volume{{Name: claimVolume, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source}}}
	if OnOneNode(claim) {
		pod.Spec.NodeName = nodeOfMount(mountedBy)
	}
	return pod
}

// alone is a pod that has nothing of the cluster's: no token of a service account, and nobody who starts it again.
func alone(namespace, name string) *corev1.Pod {
	token := false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &token},
	}
}

// OnOneNode reports whether only one node can mount the claim at a time.
func OnOneNode(claim *corev1.PersistentVolumeClaim) bool {
	modes := claim.Spec.AccessModes
	return slices.Contains(modes, corev1.ReadWriteOncePod) || slices.Contains(modes, corev1.ReadWriteOnce) && !slices.Contains(modes, corev1.ReadWriteMany)
}

// MountsClaim reports whether the claim is mounted for the pod, or will be: a pod that has finished has let go of it.
func MountsClaim(pod *corev1.Pod, claim string) bool {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return false
	}
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim || v.Ephemeral != nil && pod.Name+"-"+v.Name == claim
	})
}

// nodeOfMount is the node of the pod that has the volume: of one that runs, for one that does not may wait for it on another node.
func nodeOfMount(mountedBy []corev1.Pod) string {
	node := ""
	for i := range mountedBy {
		switch pod := &mountedBy[i]; {
		case pod.Spec.NodeName == "":
		case pod.Status.Phase == corev1.PodRunning:
			return pod.Spec.NodeName
		case node == "":
			node = pod.Spec.NodeName
		}
	}
	return node
}

// mountClaim is how the session mounts the claim that it debugs; none if it debugs something else.
func mountClaim(session *v1alpha1.DebugSession) []corev1.VolumeMount {
	claim := session.Spec.Target.VolumeClaim
	if claim == nil {
		return nil
	}
	path := claim.MountPath
	if path == "" {
		path = claimMountPath
	}
	return []corev1.VolumeMount{{Name: claimVolume, MountPath: path, ReadOnly: !claim.Writes()}}
}

// followClaim puts the pod where the claim is mounted. No taint of that node can be a reason to leave it: the claim's other pod stays, too.
func followClaim(spec *corev1.PodSpec, session *v1alpha1.DebugSession, target *corev1.Pod) {
	if session.Spec.Target.VolumeClaim == nil || target.Spec.NodeName == "" {
		return
	}
	spec.NodeName = target.Spec.NodeName
	spec.Tolerations = []corev1.Toleration{stays}
}

// stays keeps a pod where it is, whatever taint its node gets.
var stays = corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}

// ForgetPlace removes from a pod what depends on where its target has been placed, and on when it was made.
func ForgetPlace(pod *corev1.Pod) {
	spec := &pod.Spec
	_, copied := pod.Annotations[v1alpha1.AnnotationCopyOf]
	if !copied && spec.NodeName != "" && len(spec.Tolerations) == 1 && spec.Tolerations[0] == stays {
		spec.Tolerations = nil // followClaim's; a copy has its target's
	}
	spec.ActiveDeadlineSeconds, spec.NodeName, spec.SchedulingGates = nil, "", nil
}
