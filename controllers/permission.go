package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plan"
)

func (r *DebugSessionReconciler) observeClass(ctx context.Context, name string) plan.Observed[*v1alpha1.DebugClass] {
	class := &v1alpha1.DebugClass{}
	return observed(class, r.Client.Get(ctx, types.NamespacedName{Name: name}, class))
}

func (r *DebugSessionReconciler) observeNamespace(ctx context.Context, name string) plan.Observed[labels.Set] {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.Client.Get(ctx, types.NamespacedName{Name: name}, namespace)
	return observed(labels.Set(namespace.Labels), err)
}

// observed turns the answer to a read into an observation.
func observed[T any](value T, err error) plan.Observed[T] {
	switch {
	case apierrors.IsNotFound(err):
		return plan.Absent[T]()
	case err != nil:
		return plan.Unknown[T](err)
	default:
		return plan.Found(value)
	}
}

// observeVerb asks whether the requester holds the verb on the class in the session's namespace: a RoleBinding there is enough.
func (r *DebugSessionReconciler) observeVerb(ctx context.Context, session *v1alpha1.DebugSession, verb string) plan.Observed[bool] {
	who := session.Spec.Requester
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.Username, UID: who.UID, Groups: who.Groups, Extra: extra(who.Extra),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: v1alpha1.GroupVersion.Group, Resource: "debugclasses", Verb: verb,
			Name: session.Spec.ClassName, Namespace: session.Namespace,
		},
	}}
	if err := r.Client.Create(ctx, review); err != nil {
		return plan.Unknown[bool](err)
	}
	if !review.Status.Allowed && review.Status.EvaluationError != "" {
		return plan.Unknown[bool](errors.New(review.Status.EvaluationError))
	}
	return plan.Found(review.Status.Allowed)
}

// extra is what an authorizer may decide by beside the name and the groups.
func extra(of map[string]v1alpha1.ExtraValue) map[string]authorizationv1.ExtraValue {
	result := make(map[string]authorizationv1.ExtraValue, len(of))
	for key, values := range of {
		result[key] = authorizationv1.ExtraValue(values)
	}
	return result
}

// observeRunning counts the other sessions of the class that run. The caller holds the lock.
func (r *DebugSessionReconciler) observeRunning(ctx context.Context, session *v1alpha1.DebugSession) plan.Observed[plan.Running] {
	sessions := &v1alpha1.DebugSessionList{}
	if err := r.Client.List(ctx, sessions, client.UnsafeDisableDeepCopy); err != nil {
		return plan.Unknown[plan.Running](err)
	}
	var running plan.Running
	for i := range sessions.Items {
		other := r.states.peek(&sessions.Items[i])
		if other.UID == session.UID || other.Spec.ClassName != session.Spec.ClassName || !runs(other) {
			continue
		}
		if other.Namespace == session.Namespace {
			running.InNamespace++
		}
		if other.Spec.Requester != nil && other.Spec.Requester.Username == session.Spec.Requester.Username {
			running.OfRequester++
		}
	}
	return plan.Found(running)
}

func runs(session *v1alpha1.DebugSession) bool {
	return session.Status.StartedAt != nil && session.Status.Phase != v1alpha1.PhaseEnded
}

// observePreview has the API server do everything but keep it: admission, quota and validation see the real thing.
func (r *DebugSessionReconciler) observePreview(ctx context.Context, session *v1alpha1.DebugSession, action plan.Action) plan.Observed[plan.Preview] {
	kept, hidden, err := r.dryRun(ctx, session, action)
	if create, copies := action.(plan.CreatePod); copies && apierrors.IsAlreadyExists(err) {
		return plan.Found(plan.Preview{Refusal: plan.NameTaken(create.Pod.Name)})
	}
	result := classify(action, err)
	switch {
	case result.Gone:
		return plan.Absent[plan.Preview]()
	case result.Refusal != nil:
		return plan.Found(plan.Preview{Refusal: result.Refusal})
	case result.Err != nil:
		return plan.Unknown[plan.Preview](result.Err)
	}
	object, err := json.Marshal(kept)
	if err != nil {
		return plan.Unknown[plan.Preview](err)
	}
	return plan.Found(plan.Preview{Object: object, Hidden: hidden})
}

// dryRun returns what may be shown of what the API server would keep, and what may not.
func (r *DebugSessionReconciler) dryRun(ctx context.Context, session *v1alpha1.DebugSession, action plan.Action) (shown any, hidden []v1alpha1.HiddenValues, err error) {
	switch a := action.(type) {
	case plan.InjectDebugger:
		pod, err := r.patchEphemeral(ctx, a, client.DryRunAll)
		if err != nil {
			return nil, nil, err
		}
		i := slices.IndexFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == a.Container.Name })
		if i < 0 {
			return nil, nil, fmt.Errorf("the API server's answer has no container %q", a.Container.Name)
		}
		kept := pod.Spec.EphemeralContainers[i]
		if !session.Spec.Debugger.Unstoppable { // nothing is around that one's command, whatever it looks like
			kept.Command = debugpod.Unlimited(kept.Command) // an approver wants to read what was asked for
		}
		hidden = debugpod.HideContainerValues(&kept, session)
		return kept, hidden, nil
	case plan.CreatePod:
		pod := a.Pod.DeepCopy()
		err := r.Client.Create(ctx, pod, client.DryRunAll)
		pod.ManagedFields, pod.UID, pod.CreationTimestamp = nil, "", metav1.Time{}
		return pod, debugpod.HidePodValues(&pod.Spec, session), err
	default:
		return nil, nil, fmt.Errorf("a %T makes no debugger", action)
	}
}

// sessionNameField indexes approvals by the session they name.
const sessionNameField = "spec.sessionName"

func indexSessionName(object client.Object) []string {
	return []string{object.(*v1alpha1.DebugApproval).Spec.SessionName}
}

// ApprovalsOf lists the approvals that name a session, from a cache.
func ApprovalsOf(ctx context.Context, cached client.Reader, session *v1alpha1.DebugSession) ([]v1alpha1.DebugApproval, error) {
	list := &v1alpha1.DebugApprovalList{}
	err := cached.List(ctx, list, client.InNamespace(session.Namespace), client.MatchingFields{sessionNameField: session.Name})
	return list.Items, err
}

// observeApprovals lists the approvals that name the session. The API server has no index of those names, so a fresh answer
// takes all approvals of the namespace; it is asked for once a session, right before it starts.
func (r *DebugSessionReconciler) observeApprovals(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadApprovals) plan.Observed[[]plan.Approval] {
	list, in := &v1alpha1.DebugApprovalList{}, client.InNamespace(session.Namespace)
	from, which := client.Reader(r.Client), []client.ListOption{in, client.MatchingFields{sessionNameField: session.Name}}
	if q.Fresh {
		from, which = r.Live, []client.ListOption{in}
	}
	if err := from.List(ctx, list, which...); err != nil {
		return plan.Unknown[[]plan.Approval](err)
	}
	var approvals []plan.Approval
	for i := range list.Items {
		if approval := &list.Items[i]; approval.Spec.SessionName == session.Name {
			approvals = append(approvals, asVouched(ctx, r.Seal, r.Admission, approval, session))
		}
	}
	observed := plan.Found(approvals)
	if q.Fresh {
		observed = observed.Fresh()
	}
	return observed
}
