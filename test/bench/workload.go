package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fakekubelet"
)

// workers is how many requests a client of the bench has under way: as many as the operator works on sessions.
const workers = 16

// inParallel does something n times, as many at once as there are workers.
func inParallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

func makeNamespace(ctx context.Context, c client.Client, name string, labels map[string]string) error {
	return c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
}

// makePods creates n pods on the node, and returns them.
func makePods(ctx context.Context, c client.Client, namespace string, n int) ([]*corev1.Pod, error) {
	pods := make([]*corev1.Pod, n)
	return pods, inParallel(ctx, n, func(ctx context.Context, i int) error {
		pods[i] = newPod(namespace, fmt.Sprintf("pod-%05d", i))
		return makePod(ctx, c, pods[i])
	})
}

// makePod creates a pod whose containers run, as a debugger needs its target's to.
func makePod(ctx context.Context, c client.Client, pod *corev1.Pod) error {
	if err := c.Create(ctx, pod); err != nil {
		return err
	}
	for i := range pod.Spec.Containers {
		fakekubelet.Set(pod, pod.Spec.Containers[i].Name, fakekubelet.Running(time.Now()))
	}
	return c.Status().Update(ctx, pod)
}

// newPod is a pod as workloads have them: an application with a proxy, some environment, requests and a volume.
func newPod(namespace, name string) *corev1.Pod {
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")}
	data := corev1.VolumeMount{Name: "data", MountPath: "/data"}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{"app.kubernetes.io/name": "checkout", "app.kubernetes.io/part-of": "shop"},
		},
		Spec: corev1.PodSpec{
			NodeName: nodeName,
			Containers: []corev1.Container{
				{
					Name: "app", Image: "registry.example/shop/checkout:v1.2.3", Args: []string{"--listen=:8080", "--verbosity=2"},
					Env:          []corev1.EnvVar{{Name: "REGION", Value: "eu-west-1"}, {Name: "UPSTREAM", Value: "http://cart.shop.svc:8080"}},
					Resources:    corev1.ResourceRequirements{Requests: requests},
					VolumeMounts: []corev1.VolumeMount{data},
				},
				{Name: "proxy", Image: "registry.example/mesh/proxy:v4", VolumeMounts: []corev1.VolumeMount{data}},
			},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
}

// newSession asks for what `kubectl debug -it POD --image=busybox:1.36 --target=app` does.
func newSession(namespace, name, pod string) *v1alpha1.DebugSession {
	return &v1alpha1.DebugSession{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.DebugSessionSpec{
			Target:   v1alpha1.Target{PodName: pod, Container: "app"},
			Debugger: v1alpha1.Debugger{Image: "busybox:1.36", Command: []string{"sh"}, Stdin: true, TTY: true},
			TTL:      &metav1.Duration{Duration: 30 * time.Minute},
			Reason:   "a measurement",
		},
	}
}

// asCopy has the session make a copy, on the pod's node: nobody schedules here.
func asCopy(session *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	session.Spec.Mode, session.Spec.PodCopy = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{SameNode: true}
	return session
}

func sessionName(i int) string { return fmt.Sprintf("session-%05d", i) }
