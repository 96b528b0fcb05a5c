package debugpod

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// MemoryLimit is a container's own memory limit; nil if it has none, as every ephemeral container.
func MemoryLimit(pod *corev1.Pod, name string) *resource.Quantity {
	container := findContainer(&pod.Spec, name)
	if container == nil {
		return nil
	}
	limit, set := container.Resources.Limits[corev1.ResourceMemory]
	if !set {
		return nil
	}
	return &limit
}

// MemoryLimits is what the kubelet limits a pod's memory to that says nothing itself: as much as its containers may use together, if
// each has a limit, or an init container alone if that is more. Nil if the pod is not limited.
func MemoryLimits(pod *corev1.Pod) *resource.Quantity {
	var sum, largest resource.Quantity
	for i := range pod.Spec.InitContainers {
		container := &pod.Spec.InitContainers[i]
		limit := MemoryLimit(pod, container.Name)
		if limit == nil {
			return nil
		}
		if IsSidecar(container) {
			sum.Add(*limit)
			continue
		}
		with := sum.DeepCopy()
		with.Add(*limit)
		if with.Cmp(largest) > 0 {
			largest = with
		}
	}
	for i := range pod.Spec.Containers {
		limit := MemoryLimit(pod, pod.Spec.Containers[i].Name)
		if limit == nil {
			return nil
		}
		sum.Add(*limit)
	}
	if largest.Cmp(sum) > 0 {
		return &largest
	}
	return &sum
}
