package debugsession

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/jsonpatch"
	"debugsession.dev/operator/internal/kube/optimisticlock"
	"debugsession.dev/operator/internal/plan"
)

// carryOut performs what the plan has decided, and completes the plan with how that went.
func (r *Reconciler) carryOut(ctx context.Context, session *v1alpha1.DebugSession, d decision) plan.Plan {
	return plan.Conclude(d.snapshot, d.plan, r.act(ctx, session, d.plan.Actions))
}

// act performs the actions in order, and stops at the first that did not work: what follows may rest on it. Only taking
// away goes on: that access could not be removed is no reason to let the debugger live.
func (r *Reconciler) act(ctx context.Context, session *v1alpha1.DebugSession, actions []plan.Action) []plan.Result {
	var results []plan.Result
	for _, action := range actions {
		if effect := plan.EffectOf(action); effect == plan.Creates || effect == plan.Changes {
			if err := r.confirm(ctx, session); err != nil {
				return append(results, plan.Result{Action: action, Err: err})
			}
		}
		result := r.perform(ctx, session, action)
		results = append(results, result)
		_, taking := action.(plan.RevokeAccess)
		if !taking && (result.Err != nil || result.Refusal != nil || result.Gone) {
			break
		}
	}
	return results
}

// confirm fails if the session is not as the API server has it. A cache that was filled just now may be behind: what the
// operator before this one has ended would be made again, and nothing would ever take it away. It costs a request once
// for a session that goes on after a restart, and none for one that this process has written.
func (r *Reconciler) confirm(ctx context.Context, session *v1alpha1.DebugSession) error {
	if r.states.get(session).confirmed {
		return nil
	}
	now := &v1alpha1.DebugSession{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(session), now); err != nil {
		return err
	}
	if now.UID != session.UID || now.ResourceVersion != session.ResourceVersion {
		return fmt.Errorf("the session was read at resourceVersion %s but is at %s: creating nothing until the cache catches up",
			session.ResourceVersion, now.ResourceVersion)
	}
	r.states.update(session, func(s *sessionState) { s.confirmed = true })
	return nil
}

func (r *Reconciler) perform(ctx context.Context, session *v1alpha1.DebugSession, action plan.Action) plan.Result {
	if lost := r.checkKept(ctx, session, action); lost != nil {
		return *lost
	}
	switch a := action.(type) {
	case plan.AddFinalizer:
		return plan.Result{Action: a, Err: r.addFinalizer(ctx, session)}
	case plan.RemoveFinalizer:
		return plan.Result{Action: a, Err: client.IgnoreNotFound(r.removeFinalizer(ctx, session))}
	case plan.StoreRecord:
		r.Records.Store(session)
		return plan.Result{Action: a}
	case plan.InjectDebugger:
		return classify(a, r.inject(ctx, a))
	case plan.CreatePod:
		return r.createPod(ctx, session, a)
	case plan.CreateMember:
		return r.createMember(ctx, session, a)
	case plan.StopDebugger:
		return r.stopDebugger(ctx, session, a)
	case plan.MoveDeadline:
		return r.moveDeadline(ctx, session, a)
	case plan.DeletePod:
		return classifyDeletion(a, r.deletePod(ctx, a))
	case plan.ReplaceOriginal:
		return classifyDeletion(a, r.replaceOriginal(ctx, a))
	case plan.CreateNetworkPolicy:
		return r.createNetworkPolicy(ctx, session, a)
	case plan.DeleteNetworkPolicy:
		return classifyDeletion(a, r.deleteNetworkPolicy(ctx, session, a))
	case plan.GrantAccess:
		return classify(a, r.grantAccess(ctx, session, a))
	case plan.RevokeAccess:
		return classify(a, r.revokeAccess(ctx, session, a))
	case plan.DeleteSession:
		return plan.Result{Action: a, Err: r.deleteSession(ctx, session, a)}
	default:
		panic("debugsession: an action that is not performed")
	}
}

// addFinalizer holds the session, if it still is what this pass has read.
func (r *Reconciler) addFinalizer(ctx context.Context, session *v1alpha1.DebugSession) error {
	before := session.DeepCopy()
	if !controllerutil.AddFinalizer(session, v1alpha1.Finalizer) {
		return nil
	}
	if err := r.Client.Patch(ctx, session, optimisticlock.Patch(before)); err != nil {
		return err
	}
	r.states.wrote(session)
	return nil
}

// removeFinalizer lets the session go. It has ended, and stays so whatever is written to it meanwhile: who writes it without
// pause does not hold it.
func (r *Reconciler) removeFinalizer(ctx context.Context, session *v1alpha1.DebugSession) error {
	at := slices.Index(session.Finalizers, v1alpha1.Finalizer)
	if at < 0 {
		return nil
	}
	path := fmt.Sprint("/metadata/finalizers/", at)
	patch := jsonpatch.Patch{
		jsonpatch.Test("/metadata/uid", session.UID),
		jsonpatch.Test("/status/phase", v1alpha1.PhaseEnded),
		jsonpatch.Test(path, v1alpha1.Finalizer),
		jsonpatch.Remove(path),
	}
	if err := r.Client.Patch(ctx, session, patch); err != nil {
		return err
	}
	r.states.wrote(session)
	return nil
}

// inject adds the ephemeral container. The UID in the patch makes the API server refuse it for a pod that has replaced
// the one that was meant; the same patch a second time changes nothing.
func (r *Reconciler) inject(ctx context.Context, a plan.InjectDebugger) error {
	_, err := r.patchEphemeral(ctx, a)
	return err
}

func (r *Reconciler) patchEphemeral(ctx context.Context, a plan.InjectDebugger, options ...client.SubResourcePatchOption) (*corev1.Pod, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": a.UID},
		"spec":     map[string]any{"ephemeralContainers": []corev1.EphemeralContainer{a.Container}},
	})
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a.Pod.Namespace, Name: a.Pod.Name}}
	err = r.Client.SubResource("ephemeralcontainers").Patch(ctx, pod, client.RawPatch(types.StrategicMergePatchType, patch), options...)
	return pod, err
}

// createPod creates the session's own pod, or finds the one that an earlier try has made.
func (r *Reconciler) createPod(ctx context.Context, session *v1alpha1.DebugSession, a plan.CreatePod) plan.Result {
	there := &corev1.Pod{}
	return r.createOnce(ctx, a, a.Pod.DeepCopy(), there, func() *plan.Refusal {
		if debugpod.OwnedBy(there, session) {
			return nil
		}
		return plan.NameTaken(there.Name)
	})
}

// createOnce makes an object, or finds the one that an earlier try has made. What is there then is refused if it is another of that name.
func (r *Reconciler) createOnce(ctx context.Context, a plan.Action, object, there client.Object, refused func() *plan.Refusal) plan.Result {
	err := r.Client.Create(ctx, object)
	if !apierrors.IsAlreadyExists(err) {
		result := classify(a, err)
		result.Made = object.GetUID()
		return result
	}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(object), there); err != nil {
		return plan.Result{Action: a, Err: err}
	}
	return plan.Result{Action: a, Refusal: refused(), Made: there.GetUID()}
}

func (r *Reconciler) deletePod(ctx context.Context, a plan.DeletePod) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a.Pod.Namespace, Name: a.Pod.Name}}
	return r.Client.Delete(ctx, pod, client.Preconditions{UID: &a.UID}, client.GracePeriodSeconds(a.GraceSeconds))
}

// replaceOriginal deletes the target as anyone would, with its own time to end.
func (r *Reconciler) replaceOriginal(ctx context.Context, a plan.ReplaceOriginal) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a.Pod.Namespace, Name: a.Pod.Name}}
	return r.Client.Delete(ctx, pod, client.Preconditions{UID: &a.UID})
}

// deleteSession deletes the session if it still is what this pass has read: a tool may have marked it as its own meanwhile.
func (r *Reconciler) deleteSession(ctx context.Context, session *v1alpha1.DebugSession, a plan.DeleteSession) error {
	version := session.ResourceVersion
	return optimisticlock.IgnoreConflictOrNotFound(r.Client.Delete(ctx, session, client.Preconditions{UID: &a.UID, ResourceVersion: &version}))
}
