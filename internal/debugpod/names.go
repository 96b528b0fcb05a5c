package debugpod

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	containerPrefix = "debugger-"
	copyInfix       = "-debug-"
	nodePodPrefix   = "node-debugger-"
	accessPrefix    = "debugsession-"

	// maxPodName keeps a pod's name within what a label's value and a host name can hold, although a pod's name may
	// have 253 characters.
	maxPodName = 63

	// defaultContainerAnnotation is where kubectl, too, looks for the container that is meant when none is named.
	defaultContainerAnnotation = "kubectl.kubernetes.io/default-container"
)

// suffixEncoding has no letter that is easily read as another one, and none that a DNS label may not begin or end with.
var suffixEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// suffix is n characters (at most 51) that depend on the session's UID alone, so that a retry finds what an earlier try
// made, and a session that was deleted and created again finds nothing.
func suffix(session types.UID, n int) string {
	sum := sha256.Sum256([]byte(session))
	return suffixEncoding.EncodeToString(sum[:])[:n]
}

// ContainerName returns the name of the debugger's container: "debugger-" and eight characters that depend on the
// session's UID alone. It is a valid container name of 17 characters.
func ContainerName(session types.UID) string {
	return containerPrefix + suffix(session, 8)
}

// DebuggerName returns the name of the container that the session is about: the one that is added, or one of the copy's.
func DebuggerName(session *v1alpha1.DebugSession, target *corev1.Pod) string {
	spec := &session.Spec
	switch {
	case spec.Debugger.Container != "":
		return spec.Debugger.Container
	case AddsContainer(spec):
		return ContainerName(session.UID)
	case spec.Target.Container != "":
		return spec.Target.Container
	}
	for i := range spec.PodCopy.Containers {
		if hasContainer(target.Spec.Containers, spec.PodCopy.Containers[i].Name) {
			return spec.PodCopy.Containers[i].Name
		}
	}
	return DefaultContainer(target)
}

// CopyName returns the name that a copy has when the session gives none: the target's name, "-debug-" and five
// characters that depend on the session's UID alone. The target's name is shortened so that the whole has at most 63
// characters and is still a pod's name.
func CopyName(target string, session types.UID) string {
	return shortened(target, copyInfix+suffix(session, 5))
}

// NodePodName returns the name of the pod that debugs a node: "node-debugger-", the node's name, "-" and five characters
// that depend on the session's UID alone. The node's name is shortened as a target's is by CopyName.
func NodePodName(node string, session types.UID) string {
	return shortened(nodePodPrefix+node, "-"+suffix(session, 5))
}

// shortened is a name that ends so, with as much of its beginning as a pod's name has room for.
func shortened(begin, end string) string {
	if longest := maxPodName - len(end); len(begin) > longest {
		begin = strings.TrimRight(begin[:longest], "-.")
	}
	return begin + end
}

// AccessName returns the name of the Role and the RoleBinding by which a session gives access: "debugsession-" and ten
// characters that depend on the session's UID alone.
func AccessName(session types.UID) string {
	return accessPrefix + suffix(session, 10)
}

// IsolationName returns the name of the NetworkPolicy by which a session's copy is cut off: "debugsession-" and ten
// characters that depend on the session's UID alone.
func IsolationName(session types.UID) string {
	return accessPrefix + suffix(session, 10)
}

// DefaultContainer returns the container that is meant when none is named: the one in the pod's annotation
// kubectl.kubernetes.io/default-container if the pod has it, else the first. It is empty for a pod without containers.
func DefaultContainer(pod *corev1.Pod) string {
	named := pod.Annotations[defaultContainerAnnotation]
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == named {
			return named
		}
	}
	if len(pod.Spec.Containers) == 0 {
		return ""
	}
	return pod.Spec.Containers[0].Name
}
