package debugpod

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Template is what a workload says of its pods.
type Template struct {
	// Pod is the pod that the workload's controller would make, with the workload's name and UID for its own. Nil if the workload has no template.
	Pod *corev1.Pod

	// Idle is whether the workload wants no pods now: it is scaled to zero, or over, or makes none itself.
	Idle bool
}

// completionIndexVariable tells a container of an Indexed Job which of its pods it is in.
const completionIndexVariable = "JOB_COMPLETION_INDEX"

// TemplateOf reads the pod template of a workload. Where pods are numbered, it is that of the first.
func TemplateOf(workload *unstructured.Unstructured) (*Template, error) {
	template, err := templateOf(workload)
	if err != nil {
		return nil, fmt.Errorf("%s %q: reading its pod template: %w", workload.GetKind(), workload.GetName(), err)
	}
	if template.Pod != nil {
		template.Pod.Name, template.Pod.Namespace, template.Pod.UID = workload.GetName(), workload.GetNamespace(), workload.GetUID()
	}
	return template, nil
}

func templateOf(workload *unstructured.Unstructured) (*Template, error) {
	switch workload.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Group: appsv1.GroupName, Kind: "StatefulSet"}:
		set, err := typed[appsv1.StatefulSet](workload)
		return &Template{Pod: firstOfSet(set), Idle: isZero(set.Spec.Replicas)}, err
	case schema.GroupKind{Group: appsv1.GroupName, Kind: "DaemonSet"}:
		set, err := typed[appsv1.DaemonSet](workload)
		wantsNone := set.Status.ObservedGeneration == set.Generation && set.Status.DesiredNumberScheduled == 0
		return &Template{Pod: podOf(&set.Spec.Template), Idle: wantsNone}, err
	case schema.GroupKind{Group: batchv1.GroupName, Kind: "Job"}:
		job, err := typed[batchv1.Job](workload)
		return &Template{Pod: firstOfJob(job.Name, &job.Spec), Idle: isOver(job)}, err
	case schema.GroupKind{Group: batchv1.GroupName, Kind: "CronJob"}:
		cron, err := typed[batchv1.CronJob](workload)
		return &Template{Pod: firstOfJob(cron.Name, &cron.Spec.JobTemplate.Spec), Idle: true}, err
	default: // whatever has replicas, as Deployments and ReplicaSets have
		object, err := typed[replicated](workload)
		if object.Spec.Template == nil {
			return &Template{}, err
		}
		return &Template{Pod: podOf(object.Spec.Template), Idle: isZero(object.Spec.Replicas)}, err
	}
}

// replicated is what workloads of every kind call their pods.
type replicated struct {
	Spec struct {
		Replicas *int32                  `json:"replicas"`
		Template *corev1.PodTemplateSpec `json:"template"`
	} `json:"spec"`
}

func typed[T any](workload *unstructured.Unstructured) (*T, error) {
	object := new(T)
	return object, runtime.DefaultUnstructuredConverter.FromUnstructured(workload.Object, object)
}

func isZero(replicas *int32) bool { return replicas != nil && *replicas == 0 }

// isOver reports whether a Job makes no pod any more, or none now.
func isOver(job *batchv1.Job) bool {
	finished := slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed)
	})
	return finished || isZero(job.Spec.Parallelism) || job.Spec.Suspend != nil && *job.Spec.Suspend
}

func podOf(template *corev1.PodTemplateSpec) *corev1.Pod {
	template = template.DeepCopy()
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Labels: template.Labels, Annotations: template.Annotations},
		Spec:       template.Spec,
	}
}

// firstOfSet is the first pod of a StatefulSet, with its name in the network and its claims.
func firstOfSet(set *appsv1.StatefulSet) *corev1.Pod {
	pod, ordinal := podOf(&set.Spec.Template), int32(0)
	if set.Spec.Ordinals != nil {
		ordinal = set.Spec.Ordinals.Start
	}
	index := strconv.Itoa(int(ordinal))
	name := set.Name + "-" + index
	pod.Spec.Hostname, pod.Spec.Subdomain = name, set.Spec.ServiceName
	pod.Labels = with(pod.Labels, map[string]string{appsv1.StatefulSetPodNameLabel: name, appsv1.PodIndexLabel: index})
	for i := range set.Spec.VolumeClaimTemplates {
		claim := set.Spec.VolumeClaimTemplates[i].Name
		pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == claim })
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: claim, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim + "-" + name},
		}})
	}
	return pod
}

// firstOfJob is the first pod of a Job. That of an Indexed one is told its index.
func firstOfJob(name string, job *batchv1.JobSpec) *corev1.Pod {
	pod := podOf(&job.Template)
	if job.CompletionMode == nil || *job.CompletionMode != batchv1.IndexedCompletion {
		return pod
	}
	const first = "0"
	index := map[string]string{batchv1.JobCompletionIndexAnnotation: first}
	pod.Labels, pod.Annotations, pod.Spec.Hostname = with(pod.Labels, index), with(pod.Annotations, index), name+"-"+first
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			if !slices.ContainsFunc(containers[i].Env, func(v corev1.EnvVar) bool { return v.Name == completionIndexVariable }) {
				containers[i].Env = append(containers[i].Env, corev1.EnvVar{Name: completionIndexVariable, Value: first})
			}
		}
	}
	return pod
}

// with is a copy of labels or annotations with more of them.
func with(there, more map[string]string) map[string]string {
	all := maps.Clone(there)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	return all
}
