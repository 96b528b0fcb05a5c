package main

import (
	"cmp"
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

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

// debug does what the operator does for a session, and returns the refusal, or "" if it was done, and the name of the
// pod that the debugger is in.
func (c *cluster) debug(ctx context.Context, target *corev1.Pod, tc *testCase) (refusal, podName string, err error) {
	session, err := c.admit(ctx, target.Namespace, "podName", tc)
	if err == nil {
		if session.Spec.Mode == v1alpha1.ModeEphemeralContainer {
			target = target.DeepCopy()
			target.Spec.NodeName = cmp.Or(target.Spec.NodeName, "node-1") // no scheduler runs, and the operator would wait for one
		}
		err = c.make(ctx, session, target, nil)
		if session.Status.Debugger != nil {
			podName = session.Status.Debugger.PodName
		}
	}
	refusal, err = refused(err)
	return refusal, podName, err
}

// debugNode does what the operator does for a session of mode Node, and returns the refusal, or "" if it was done.
func (c *cluster) debugNode(ctx context.Context, namespace string, tc *testCase) (refusal string, err error) {
	session, err := c.admit(ctx, namespace, "nodeName", tc)
	if err == nil {
		err = c.make(ctx, session, nil, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: targetName, UID: targetName}})
	}
	return refused(err)
}

func (c *cluster) make(ctx context.Context, session *v1alpha1.DebugSession, target *corev1.Pod, node *corev1.Node) error {
	action, err := decide(session, target, node)
	if err != nil {
		return err
	}
	return c.perform(ctx, session, action)
}

// refused tells a refusal from an error.
func refused(err error) (refusal string, _ error) {
	var no *rejected
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || errors.As(err, &no) {
		return err.Error(), nil
	}
	return "", err
}
