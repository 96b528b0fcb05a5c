package policy

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// checkPodNetwork holds a session in a pod's network against its class, as far as nothing has to be known of the pod. What makes such a class
// safe is asked again here: the class may have been stored before its own check was.
func checkPodNetwork(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	switch profile := effectiveProfile(class, spec); {
	case spec.Mode == v1alpha1.ModeNode && spec.Target.NodeName != "" && class.Spec.PodNetworks != nil:
		return "spec.target.nodeName: a class with podNetworks is for pods' networks, and for no node; use another class"
	case !spec.Target.IsPodNetwork():
		return ""
	case class.Spec.PodNetworks == nil:
		return "spec.target.podNamespace: being in a pod's network is not allowed; ask an administrator for a class that has podNetworks"
	case len(spec.Debugger.Artifacts) > 0:
		return "spec.debugger.artifacts: nothing is executed in a debugger in a pod's network, and so no file of it is read; remove it, and print what is to be kept"
	case !debugpod.FitsPodNetwork(profile):
		return fmt.Sprintf("spec.profile: %s is not for a pod's network; use baseline to capture there, or netadmin to change it as well", profile)
	}
	return unsafePodNetworks(&class.Spec)
}

// unsafePodNetworks says what a class with podNetworks must not have: a way to such a session that nobody else has agreed to, and one into its
// container, which was given more than its command has.
func unsafePodNetworks(class *v1alpha1.DebugClassSpec) string {
	approval := cmp.Or(class.Approval, &v1alpha1.ApprovalPolicy{})
	switch {
	case class.PodNetworks == nil:
		return ""
	case approval.Required == 0:
		return "spec.podNetworks needs approval: set approval.required to at least 1"
	case approval.SelfApproval:
		return "spec.podNetworks needs somebody else's approval: remove approval.selfApproval"
	case len(approval.Exempt) > 0:
		return "spec.podNetworks needs approval from everybody: remove approval.exempt"
	case approval.Emergency != nil:
		return "spec.podNetworks needs approval before a session starts: remove approval.emergency"
	case class.Access != nil && slices.Contains(class.Access.Verbs, v1alpha1.AccessExec):
		return "spec.podNetworks cannot be combined with Exec: what is executed in such a container is root on the node; remove it from access.verbs"
	}
	return ""
}

// CheckPodNamespace says why the class does not allow to be in the network of a pod of that namespace, by its labels; empty if it does. operator
// is the operator's own namespace.
func CheckPodNamespace(class *v1alpha1.DebugClass, name string, namespace labels.Set, operator string) string {
	policy := class.Spec.PodNetworks
	if policy == nil {
		return by(class.Name, "its podNetworks was removed")
	}
	if !selects(&policy.NamespaceSelector, namespace) || namespace[corev1.LabelMetadataName] != name {
		return by(class.Name, fmt.Sprintf("spec.target.podNamespace: %q is not allowed: podNetworks.namespaceSelector is %s",
			name, metav1.FormatLabelSelector(&policy.NamespaceSelector)))
	}
	if (name == metav1.NamespaceSystem || name == operator) && !selectorNames(&policy.NamespaceSelector, name) {
		return by(class.Name, fmt.Sprintf("spec.target.podNamespace: %q is not allowed: from its pods the whole cluster can be reached; "+
			"only a class whose podNetworks.namespaceSelector names it by its label %s can be used for it", name, corev1.LabelMetadataName))
	}
	return ""
}
