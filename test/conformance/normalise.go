package main

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// debuggerName stands for the debugger's container, which each side names in its own way.
const debuggerName = "DEBUGGER"

// tokenVolume begins the names of the volumes that admission makes for service account tokens; what follows is random.
const tokenVolume = "kube-api-access-"

// essentials returns the part of a debugged pod that is compared: labels, annotations and spec, without what must
// differ. before is the pod that was debugged.
func essentials(pod, before *corev1.Pod) (map[string]any, error) {
	pod = pod.DeepCopy()
	nameDebugger(pod, before)
	nameTokenVolume(pod)
	dropTargetRoot(pod)
	if pod.Name != before.Name {
		dropMarks(pod)
	}
	return decoded(pod)
}

// decoded returns a pod's labels, annotations and spec as JSON has them.
func decoded(pod *corev1.Pod) (map[string]any, error) {
	data, err := json.Marshal(struct {
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
		Spec        corev1.PodSpec    `json:"spec"`
	}{pod.Labels, pod.Annotations, pod.Spec})
	if err != nil {
		return nil, err
	}
	object := map[string]any{}
	return object, json.Unmarshal(data, &object)
}

// nameDebugger renames the one container that the pod did not have before.
func nameDebugger(pod, before *corev1.Pod) {
	had := containerNames(before)
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; !slices.Contains(had, c.Name) {
			c.Name = debuggerName
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if c := &pod.Spec.EphemeralContainers[i]; !slices.Contains(had, c.Name) {
			c.Name = debuggerName
		}
	}
}

// dropTargetRoot removes the variable by which a session tells a debugger where its target's files are.
func dropTargetRoot(pod *corev1.Pod) {
	for i := range pod.Spec.EphemeralContainers {
		if c := &pod.Spec.EphemeralContainers[i]; c.Name == debuggerName {
			c.Env = slices.DeleteFunc(c.Env, func(v corev1.EnvVar) bool { return v.Name == "TARGET_ROOT" })
		}
	}
}

func containerNames(pod *corev1.Pod) []string {
	var names []string
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
	}
	for i := range pod.Spec.InitContainers {
		names = append(names, pod.Spec.InitContainers[i].Name)
	}
	for i := range pod.Spec.EphemeralContainers {
		names = append(names, pod.Spec.EphemeralContainers[i].Name)
	}
	return names
}

func nameTokenVolume(pod *corev1.Pod) {
	for i := range pod.Spec.Volumes {
		pod.Spec.Volumes[i].Name = withoutRandom(pod.Spec.Volumes[i].Name)
	}
	rename := func(mounts []corev1.VolumeMount) {
		for i := range mounts {
			mounts[i].Name = withoutRandom(mounts[i].Name)
		}
	}
	for i := range pod.Spec.InitContainers {
		rename(pod.Spec.InitContainers[i].VolumeMounts)
	}
	for i := range pod.Spec.Containers {
		rename(pod.Spec.Containers[i].VolumeMounts)
	}
	for i := range pod.Spec.EphemeralContainers {
		rename(pod.Spec.EphemeralContainers[i].VolumeMounts)
	}
}

func withoutRandom(volume string) string {
	if strings.HasPrefix(volume, tokenVolume) {
		return tokenVolume + "RANDOM"
	}
	return volume
}

// kubectlMark is the label by which kubectl marks the pods that it makes on nodes.
const kubectlMark = "app.kubernetes.io/managed-by"

// dropMarks removes what a pod made for a session has and one of kubectl's does not: our label and annotations, and the
// session's deadline and short grace period; and what kubectl marks its own with. An earlier deadline is the target's own,
// which both keep.
func dropMarks(pod *corev1.Pod) {
	pod.Spec.TerminationGracePeriodSeconds = nil
	if pod.Labels[kubectlMark] == "kubectl-debug" {
		delete(pod.Labels, kubectlMark)
	}
	if _, ours := pod.Labels[v1alpha1.LabelSessionUID]; !ours {
		return
	}
	delete(pod.Labels, v1alpha1.LabelSessionUID)
	delete(pod.Annotations, v1alpha1.AnnotationSession)
	delete(pod.Annotations, v1alpha1.AnnotationCopyOf)
	if deadline := pod.Spec.ActiveDeadlineSeconds; deadline != nil && *deadline == sessionSeconds {
		pod.Spec.ActiveDeadlineSeconds = nil
	}
}
