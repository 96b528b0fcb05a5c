package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// sessionSeconds is how long a copy has left when it is made.
const sessionSeconds = 3600

// admitted is when sessions are admitted, and their copies made: any moment will do.
var admitted = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// admit has the API server check the session and set its defaults, without keeping it.
func (c *cluster) admit(ctx context.Context, namespace, targetField string, tc *testCase) (*v1alpha1.DebugSession, error) {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": runtime.DeepCopyJSONValue(tc.Session)}}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DebugSession"))
	object.SetNamespace(namespace)
	object.SetName(targetName)
	if err := unstructured.SetNestedField(object.Object, targetName, "spec", "target", targetField); err != nil {
		return nil, err
	}
	err := c.objects.Create(ctx, object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	if err != nil {
		return nil, err
	}
	session := &v1alpha1.DebugSession{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, session); err != nil {
		return nil, err
	}
	return session, nil
}

// decide writes into the status what the operator decides before it makes anything.
func decide(session *v1alpha1.DebugSession, target *corev1.Pod) {
	container := session.Spec.Target.Container
	if container == "" {
		container = debugpod.DefaultContainer(target)
	}
	podName := target.Name
	if session.Spec.Mode == v1alpha1.ModePodCopy {
		podName = debugpod.CopyName(target.Name, session.UID)
	}
	session.Status.Target = &v1alpha1.TargetStatus{PodName: target.Name, PodUID: target.UID, NodeName: target.Spec.NodeName, Container: container}
	session.Status.Debugger = &v1alpha1.DebuggerStatus{PodName: podName, ContainerName: debugpod.DebuggerName(session, target)}
	session.Status.HardDeadline = &metav1.Time{Time: admitted.Add(sessionSeconds * time.Second)}
}

// debug does what the operator does for a session, and returns the refusal, or "" if it was done, and the name of the
// pod that the debugger is in.
func (c *cluster) debug(ctx context.Context, target *corev1.Pod, tc *testCase) (refusal, podName string, err error) {
	session, err := c.admit(ctx, target.Namespace, "podName", tc)
	if err == nil {
		decide(session, target)
		podName = session.Status.Debugger.PodName
		if session.Spec.Mode == v1alpha1.ModePodCopy {
			err = c.makeCopy(ctx, session, target)
		} else {
			err = c.addEphemeral(ctx, session, target)
		}
	}
	refusal, err = refused(err)
	return refusal, podName, err
}

// refused tells a refusal from an error.
func refused(err error) (refusal string, _ error) {
	var invalid *debugpod.InvalidError
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || errors.As(err, &invalid) {
		return err.Error(), nil
	}
	return "", err
}

// debugNode does what the operator does for a session of mode Node, and returns the refusal, or "" if it was done.
func (c *cluster) debugNode(ctx context.Context, namespace string, tc *testCase) (refusal string, err error) {
	session, err := c.admit(ctx, namespace, "nodeName", tc)
	if err != nil {
		return refused(err)
	}
	session.Status.Target = &v1alpha1.TargetStatus{NodeName: targetName}
	session.Status.Debugger = &v1alpha1.DebuggerStatus{
		PodName: debugpod.NodePodName(targetName, session.UID), ContainerName: debugpod.DebuggerName(session, nil),
	}
	session.Status.HardDeadline = &metav1.Time{Time: admitted.Add(sessionSeconds * time.Second)}
	pod, err := debugpod.Node(session, admitted)
	if err == nil {
		_, err = c.pods.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
	}
	return refused(err)
}

func (c *cluster) makeCopy(ctx context.Context, session *v1alpha1.DebugSession, target *corev1.Pod) error {
	copied, err := debugpod.Copy(session, target, admitted)
	if err != nil {
		return err
	}
	_, err = c.pods.CoreV1().Pods(copied.Namespace).Create(ctx, copied, metav1.CreateOptions{})
	return err
}

func (c *cluster) addEphemeral(ctx context.Context, session *v1alpha1.DebugSession, target *corev1.Pod) error {
	container, err := debugpod.Ephemeral(session, target)
	if err != nil {
		return err
	}
	debugged := target.DeepCopy()
	debugged.Spec.EphemeralContainers = append(debugged.Spec.EphemeralContainers, *container)
	before, err := json.Marshal(target)
	if err != nil {
		return err
	}
	after, err := json.Marshal(debugged)
	if err != nil {
		return err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, target)
	if err != nil {
		return err
	}
	_, err = c.pods.CoreV1().Pods(target.Namespace).Patch(ctx, target.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "ephemeralcontainers")
	return err
}
