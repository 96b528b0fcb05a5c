package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	operatorNamespace = "debugsession-system"
	operatorName      = "debugsession-operator"
	replicas          = 2

	// lease is how long a leader that died without a word is waited for, with the others' pause between two tries.
	lease = 15*time.Second + 3*time.Second
)

var operatorPods = client.MatchingLabels{"control-plane": operatorName}

// operatorReady waits until all replicas are ready, one leads, and the API server reaches their webhooks.
func (w *world) operatorReady(ctx context.Context) error {
	reached := 0
	var last error
	for deadline := time.Now().Add(90 * time.Second); reached < 5; time.Sleep(200 * time.Millisecond) {
		if last = w.ready(ctx); last == nil {
			reached++ // of two replicas one may not be reached yet
		} else {
			reached = 0
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("the operator is not ready: %w", last)
		}
	}
	return nil
}

func (w *world) ready(ctx context.Context) error {
	deployment := &appsv1.Deployment{}
	if err := w.client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: operatorName}, deployment); err != nil {
		return err
	}
	status := deployment.Status
	if status.ObservedGeneration < deployment.Generation || status.Replicas != replicas || status.UpdatedReplicas != replicas || status.ReadyReplicas != replicas {
		return fmt.Errorf("%d replicas: %d up to date, %d ready", status.Replicas, status.UpdatedReplicas, status.ReadyReplicas)
	}
	pods, err := w.replicas(ctx)
	if err != nil {
		return err
	}
	leader, err := w.leader(ctx)
	if err != nil {
		return err
	}
	if find(pods, leader) == nil {
		return fmt.Errorf("leader %q is no longer a replica", leader)
	}
	probe := &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{GenerateName: "chaos-probe-"}, Spec: classes()[0].Spec}
	return w.client.Create(ctx, probe, client.DryRunAll)
}

func (w *world) replicas(ctx context.Context) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := w.client.List(ctx, pods, client.InNamespace(operatorNamespace), operatorPods)
	return pods.Items, err
}

// leader is the name of the pod that leads.
func (w *world) leader(ctx context.Context) (string, error) {
	l := &coordinationv1.Lease{}
	if err := w.client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: operatorName}, l); err != nil {
		return "", err
	}
	if l.Spec.HolderIdentity == nil {
		return "", nil
	}
	pod, _, _ := strings.Cut(*l.Spec.HolderIdentity, "_")
	return pod, nil
}

func find(pods []corev1.Pod, name string) *corev1.Pod {
	for i := range pods {
		if pods[i].Name == name {
			return &pods[i]
		}
	}
	return nil
}

// freshOperator replaces replicas that an earlier fault has had restarted: the kubelet would wait longer and longer before
// it restarts them again.
func (s *stage) freshOperator() {
	pods, err := s.world.replicas(s.ctx)
	s.must("listing the operator's pods", err)
	stale := false
	for i := range pods {
		for _, status := range pods[i].Status.ContainerStatuses {
			stale = stale || status.RestartCount > 0
		}
	}
	if stale {
		for i := range pods {
			s.must("replacing a replica", client.IgnoreNotFound(s.client.Delete(s.ctx, &pods[i], client.GracePeriodSeconds(1))))
			s.eventually(30*time.Second, "the replica is gone", func() bool { return len(s.node.inPod(string(pods[i].UID))) == 0 })
		}
	}
	s.must("the operator before the fault", s.operatorReady(s.ctx))
}

// noneRestarted sees that no replica has ended by itself: the kubelet would wait longer and longer before it starts it again.
func (s *stage) noneRestarted() {
	pods, err := s.world.replicas(s.ctx)
	s.must("listing the operator's pods", err)
	for i := range pods {
		for _, status := range pods[i].Status.ContainerStatuses {
			if status.RestartCount > 0 {
				s.mistake("replica %s exited and was restarted by the kubelet", pods[i].Name)
			}
		}
	}
}

// managers are the operator's processes on the node, by their pods' names.
func (s *stage) managers() map[string]process {
	pods, err := s.world.replicas(s.ctx)
	s.must("listing the operator's pods", err)
	found := map[string]process{}
	for i := range pods {
		for _, p := range s.node.inPod(string(pods[i].UID)) {
			found[pods[i].Name] = p
		}
	}
	if len(found) == 0 {
		s.fatal("the operator has no process on the node")
	}
	return found
}

// signal sends a signal to the operator's processes, of all replicas or of those named.
func (s *stage) signal(signal syscall.Signal, managers map[string]process) {
	for pod, p := range managers {
		s.must(fmt.Sprintf("%v to process %d of %s", signal, p.pid, pod), syscall.Kill(p.pid, signal))
		s.say("%v to the operator's process %d, of pod %s", signal, p.pid, pod)
	}
}

// scale sets how many replicas there are.
func (s *stage) scale(count int) error {
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, count))
	return s.client.Patch(s.ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorName}}, patch)
}

// showOperator shows what the replicas have logged since a fault began, also before they were restarted.
func (w *world) showOperator(since time.Duration) {
	pods, err := w.replicas(w.ctx)
	if err != nil {
		w.progress("the operator's pods: %v", err)
		return
	}
	for i := range pods {
		for _, previous := range []bool{true, false} {
			log, err := w.typed.CoreV1().Pods(operatorNamespace).GetLogs(pods[i].Name, &corev1.PodLogOptions{
				Previous: previous, SinceSeconds: new(int64(since.Seconds()) + 1),
			}).DoRaw(w.ctx)
			if err == nil && len(log) > 0 {
				w.progress("%s, previous container: %t\n%s", pods[i].Name, previous, log)
			}
		}
	}
}
