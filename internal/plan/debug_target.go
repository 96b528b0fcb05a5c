package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

// debugTarget is what a session debugs: a pod, or a node; or what a pod is made of.
type debugTarget struct {
	pod  *corev1.Pod
	node *corev1.Node

	// workload is whose pod template the pod is, which is none then that runs; nil for a true pod.
	workload *v1alpha1.Workload

	// claim and image are what the pod is made of, which is none then that runs; nil and empty for a true pod.
	claim *corev1.PersistentVolumeClaim
	image string
}

// runs reports whether the target is a pod that there is.
func (t debugTarget) runs() bool {
	return t.pod != nil && t.workload == nil && t.claim == nil && t.image == ""
}

func (t debugTarget) uid() types.UID {
	if t.node != nil {
		return t.node.UID
	}
	return t.pod.UID
}

// String is how messages call it.
func (t debugTarget) String() string {
	if t.node != nil {
		return fmt.Sprintf("node %q", t.node.Name)
	}
	switch {
	case t.workload != nil:
		return fmt.Sprintf("%s %q", t.workload.Kind, t.workload.Name)
	case t.claim != nil:
		return fmt.Sprintf("PersistentVolumeClaim %q", t.claim.Name)
	case t.image != "":
		return fmt.Sprintf("image %q", t.image)
	}
	return fmt.Sprintf("pod %q", t.pod.Name)
}

// identified is how messages call it where it matters which of its name it is. An image has no UID.
func (t debugTarget) identified() string {
	if uid := t.uid(); uid != "" {
		return fmt.Sprintf("%s (%s)", t, uid)
	}
	return t.String()
}

// status is what is recorded of it.
func (t debugTarget) status() *v1alpha1.TargetStatus {
	if t.node != nil {
		return nodeNamed(t.node.Name, t.node.UID)
	}
	switch {
	case t.workload != nil:
		return workloadNamed(t.workload, t.pod.UID)
	case t.claim != nil:
		recorded := claimNamed(t.claim.Name, t.claim.UID)
		recorded.NodeName = t.pod.Spec.NodeName
		return recorded
	case t.image != "":
		return imageNamed(t.image)
	}
	return &v1alpha1.TargetStatus{Name: t.pod.Name, PodName: t.pod.Name, PodUID: t.pod.UID, NodeName: t.pod.Spec.NodeName, Images: images(t.pod)}
}

// maxImages is how many containers' images are recorded.
const maxImages = 32

// images are what the containers of a pod run, as its kubelet reports.
func images(pod *corev1.Pod) []v1alpha1.ContainerImage {
	var all []v1alpha1.ContainerImage
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range statuses {
			if s := &statuses[i]; len(all) < maxImages && s.ImageID != "" {
				all = append(all, v1alpha1.ContainerImage{Container: s.Name, Image: sanitizeText(s.Image, maxText), ImageID: sanitizeText(s.ImageID, maxText)})
			}
		}
	}
	return all
}

func podNamed(name string) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{Name: name, PodName: name}
}

func nodeNamed(name string, uid types.UID) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{Name: "node/" + name, NodeName: name, NodeUID: uid}
}
