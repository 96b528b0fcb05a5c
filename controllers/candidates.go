package controllers

import (
	"context"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// observeCandidates lists the pods of the session's workload or selector, once: the choice is then written down.
func (r *DebugSessionReconciler) observeCandidates(ctx context.Context, session *v1alpha1.DebugSession) plan.Observed[[]corev1.Pod] {
	selector, err := r.selector(ctx, session)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		return plan.Absent[[]corev1.Pod]()
	case err != nil:
		return plan.Unknown[[]corev1.Pod](err)
	}
	pods := &corev1.PodList{}
	if err := r.Live.List(ctx, pods, client.InNamespace(session.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return plan.Unknown[[]corev1.Pod](err)
	}
	return plan.Found(pods.Items)
}

func (r *DebugSessionReconciler) selector(ctx context.Context, session *v1alpha1.DebugSession) (labels.Selector, error) {
	target := &session.Spec.Target
	if target.Workload == nil {
		return metav1.LabelSelectorAsSelector(target.Selector)
	}
	workload := &unstructured.Unstructured{}
	workload.SetAPIVersion(target.Workload.APIVersion)
	workload.SetKind(target.Workload.Kind)
	workload.SetNamespace(session.Namespace)
	workload.SetName(target.Workload.Name)
	selector, err := r.specSelector(ctx, workload)
	if apierrors.IsForbidden(err) {
		// Not one of the kinds that the operator may read. Any kind's scale subresource it may.
		return r.scaleSelector(ctx, workload)
	}
	return selector, err
}

// specSelector reads spec.selector, which every built-in workload has.
func (r *DebugSessionReconciler) specSelector(ctx context.Context, workload *unstructured.Unstructured) (labels.Selector, error) {
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(workload), workload); err != nil {
		return nil, err
	}
	raw, ok, err := unstructured.NestedMap(workload.Object, "spec", "selector")
	if err != nil || !ok {
		return nil, unselective("%s %q has no spec.selector: name a workload that runs pods", workload.GetKind(), workload.GetName())
	}
	selector := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, selector); err != nil {
		return nil, fmt.Errorf("%s %q: reading spec.selector: %w", workload.GetKind(), workload.GetName(), err)
	}
	return nonEmpty(metav1.LabelSelectorAsSelector(selector))
}

func (r *DebugSessionReconciler) scaleSelector(ctx context.Context, workload *unstructured.Unstructured) (labels.Selector, error) {
	scale := &autoscalingv1.Scale{}
	if err := r.Client.SubResource("scale").Get(ctx, workload, scale); err != nil {
		return nil, err
	}
	return nonEmpty(labels.Parse(scale.Status.Selector))
}

// nonEmpty keeps a workload without a selector from selecting every pod of the namespace.
func nonEmpty(selector labels.Selector, err error) (labels.Selector, error) {
	if err == nil && selector.Empty() {
		return nil, unselective("the selector is empty, and would select every pod")
	}
	return selector, err
}

// unselective is the error of a workload that will select no pods however often it is read.
func unselective(format string, args ...any) error {
	return &plan.Refusal{Reason: v1alpha1.ReasonInvalid, Message: "spec.target.workload: " + fmt.Sprintf(format, args...)}
}
