package debugsession

import (
	"context"
	"errors"
	"fmt"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plan"
)

// observeCandidates lists the pods of the session's workload or selector, once: the choice is then written down. An API server takes up to
// a tenth of a second to make sure that its list is the latest, and is asked for that only if what it has at hand does not do.
func (r *Reconciler) observeCandidates(ctx context.Context, session *v1alpha1.DebugSession, q plan.ListCandidates) (
	pods []corev1.Pod, seen plan.Observed[[]corev1.Pod],
) {
	if isCronJob(session.Spec.Target.Workload) {
		return nil, observed(pods, r.checkCronJob(ctx, session)).Fresh()
	}
	pods, err := r.candidates(ctx, session, q)
	seen = observed(pods, err)
	if q.Fresh {
		seen = seen.Fresh()
	}
	return pods, seen
}

func (r *Reconciler) candidates(ctx context.Context, session *v1alpha1.DebugSession, q plan.ListCandidates) ([]corev1.Pod, error) {
	selector, err := r.selector(ctx, session)
	if err != nil {
		return nil, err
	}
	return r.listPods(ctx, session.Namespace, selector, q.Fresh)
}

// listPods lists the pods of a namespace, or those that a selector selects. Unless fresh, what an API server has at hand will do.
func (r *Reconciler) listPods(ctx context.Context, namespace string, selector labels.Selector, fresh bool) ([]corev1.Pod, error) {
	options := &client.ListOptions{Namespace: namespace, LabelSelector: selector}
	if !fresh {
		options.Raw = &metav1.ListOptions{ResourceVersion: "0"}
	}
	pods := &corev1.PodList{}
	err := r.Live.List(ctx, pods, options)
	return pods.Items, err
}

func (r *Reconciler) selector(ctx context.Context, session *v1alpha1.DebugSession) (labels.Selector, error) {
	target := &session.Spec.Target
	if target.Workload == nil {
		return metav1.LabelSelectorAsSelector(target.Selector)
	}
	workload := workloadOf(session)
	selector, err := r.specSelector(ctx, workload)
	if apierrors.IsForbidden(err) {
		// Not one of the kinds that the operator may read. Any kind's scale subresource it may.
		selector, err = r.scaleSelector(ctx, workload)
	}
	if meta.IsNoMatchError(err) {
		return nil, unselective("the cluster has no kind %q in apiVersion %s: copy both from the workload's manifest, such as Deployment and apps/v1, or Job and batch/v1",
			target.Workload.Kind, target.Workload.APIVersion)
	}
	return selector, err
}

// observeSelector is the selector of the session's pods, which an armed session records: its pods are then watched by that.
func (r *Reconciler) observeSelector(ctx context.Context, session *v1alpha1.DebugSession) plan.Observed[string] {
	selector, err := r.selector(ctx, session)
	if err != nil {
		return observed("", err)
	}
	return plan.Found(selector.String())
}

// workloadOf is the session's workload, of which nothing is read yet.
func workloadOf(session *v1alpha1.DebugSession) *unstructured.Unstructured {
	named, workload := session.Spec.Target.Workload, &unstructured.Unstructured{}
	workload.SetAPIVersion(named.APIVersion)
	workload.SetKind(named.Kind)
	workload.SetNamespace(session.Namespace)
	workload.SetName(named.Name)
	return workload
}

func isCronJob(workload *v1alpha1.Workload) bool {
	return workload != nil && workload.Kind == "CronJob" && strings.HasPrefix(workload.APIVersion, batchv1.GroupName+"/")
}

// checkCronJob looks for a CronJob, which has no pods: its Jobs have.
func (r *Reconciler) checkCronJob(ctx context.Context, session *v1alpha1.DebugSession) error {
	if name := session.Spec.Target.Workload.Name; session.Spec.Mode != v1alpha1.ModePodCopy {
		return unselective("CronJob %q has no pods of its own: name one of its Jobs, or use mode: PodCopy, which copies its pod template", name)
	}
	cron := workloadOf(session)
	return r.Live.Get(ctx, client.ObjectKeyFromObject(cron), cron)
}

// observeTemplate reads the pod template of the session's workload. Of a kind that the operator may not read there is none.
func (r *Reconciler) observeTemplate(ctx context.Context, session *v1alpha1.DebugSession) plan.Observed[*debugpod.Template] {
	workload := workloadOf(session)
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(workload), workload)
	switch {
	case apierrors.IsForbidden(err):
		return plan.Found(&debugpod.Template{})
	case err != nil:
		return observed[*debugpod.Template](nil, err)
	}
	return observed(debugpod.TemplateOf(workload))
}

// specSelector reads spec.selector, which every built-in workload has.
func (r *Reconciler) specSelector(ctx context.Context, workload *unstructured.Unstructured) (labels.Selector, error) {
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(workload), workload); err != nil {
		return nil, err
	}
	raw, ok, err := unstructured.NestedMap(workload.Object, "spec", "selector")
	if err != nil || !ok {
		return nil, unselective("%s %q has no spec.selector: name a workload that runs pods", workload.GetKind(), workload.GetName())
	}
	if set, plain := plainSelector(raw); plain {
		return nonEmpty(labels.SelectorFromSet(set), nil)
	}
	selector := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, selector); err != nil {
		return nil, fmt.Errorf("%s %q: reading spec.selector: %w", workload.GetKind(), workload.GetName(), err)
	}
	return nonEmpty(metav1.LabelSelectorAsSelector(selector))
}

// plainSelector reads a selector that is nothing but labels, as older kinds have it.
func plainSelector(raw map[string]any) (labels.Set, bool) {
	set := labels.Set{}
	for key, value := range raw {
		text, ok := value.(string)
		if !ok {
			return nil, false
		}
		set[key] = text
	}
	return set, len(set) > 0
}

func (r *Reconciler) scaleSelector(ctx context.Context, workload *unstructured.Unstructured) (labels.Selector, error) {
	scale := &unstructured.Unstructured{} // as the workload is: a client for one kind of object does not read the other
	scale.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
	err := r.Client.SubResource("scale").Get(ctx, workload, scale)
	switch {
	case noSuchPath(err):
		return nil, unselective("%s %q has no scale subresource to find its pods by: name a workload that has one, or use selector",
			workload.GetKind(), workload.GetName())
	case err != nil:
		return nil, err
	}
	selector, _, err := unstructured.NestedString(scale.Object, "status", "selector")
	if err != nil {
		return nil, fmt.Errorf("%s %q: reading its scale's status.selector: %w", workload.GetKind(), workload.GetName(), err)
	}
	return nonEmpty(labels.Parse(selector))
}

// noSuchPath reports whether there is nothing at all where it was looked for. Of an object that is not there the API server
// tells the name.
func noSuchPath(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == "" || apierrors.IsUnexpectedServerError(err)
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
