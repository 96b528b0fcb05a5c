package debugsession

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/plan"
)

// errEnough ends a rehearsal that must not cost more.
var errEnough = errors.New("predicting the session's outcome takes more requests")

// Rehearse returns what would become of a session that is about to be created, and that its requester may have. Nothing is made. If it is
// not thorough it reads no more than the target, or the workload, its pod template and a list of its pods, or the claim and a list of those that mount it, and fails if that does not tell.
func (r *Reconciler) Rehearse(ctx context.Context, session *v1alpha1.DebugSession, thorough bool) (*v1alpha1.DebugSessionStatus, error) {
	session = session.DeepCopy()
	if session.UID == "" {
		session.UID = uuid.NewUUID()
	}
	if session.Name == "" { // the API server has it still to generate
		session.Name = session.GenerateName + "00000"
	}
	session.Status = v1alpha1.DebugSessionStatus{}
	var selected []corev1.Pod
	return plan.Rehearse(r.snapshot(session), func(s *plan.Snapshot, question plan.Question) error {
		switch q := question.(type) {
		case plan.CheckSeal:
			s.Trusted = plan.Found[*plan.Refusal](nil)
		case plan.CheckUse:
			s.MayUse = plan.Found(true)
		case plan.CheckReachPod: // admission has asked
			s.MayReachPod = plan.Found(true)
		case plan.ReadAccessState:
			s.Access = plan.Found(plan.AccessUnsure)
		case plan.ReadApprovals:
			s.Approvals = plan.Found[[]approval.Approval](nil).Fresh()
		case plan.CountRunning:
			s.Running = r.observeRunning(ctx, session)
		case plan.ReadTarget:
			s.Target = r.readUnlisted(ctx, types.NamespacedName{Namespace: session.TargetNamespace(), Name: q.Name}, selected).Fresh()
		case plan.ReadClass, plan.ReadNamespace, plan.ReadTargetNamespace, plan.FindOwnerSession, plan.ReadNode, plan.ReadTemplate, plan.ReadClaim, plan.ListClaimPods:
			r.answer(ctx, session, question, s)
		case plan.ResolveSelector:
			s.Selector = r.observeSelector(ctx, session)
		case plan.WatchPods:
			s.Watched = r.listWatched(ctx, session, q)
		case plan.ListCandidates:
			selected, s.Candidates = r.observeCandidates(ctx, session, q)
		default:
			if !thorough {
				return errEnough
			}
			r.answer(ctx, session, question, s)
		}
		return nil
	})
}

// listWatched lists the pods that an armed session would watch.
func (r *Reconciler) listWatched(ctx context.Context, session *v1alpha1.DebugSession, q plan.WatchPods) plan.Observed[[]corev1.Pod] {
	selector, err := labels.Parse(q.Selector)
	if err != nil {
		return plan.Unknown[[]corev1.Pod](err)
	}
	pods, err := r.listPods(ctx, session.Namespace, selector, false)
	return observed(pods, err)
}

// readUnlisted reads a pod, unless it is one of those that were just listed.
func (r *Reconciler) readUnlisted(ctx context.Context, name types.NamespacedName, listed []corev1.Pod) plan.Observed[*corev1.Pod] {
	if i := slices.IndexFunc(listed, func(pod corev1.Pod) bool { return pod.Name == name.Name }); i >= 0 {
		return plan.Found(&listed[i])
	}
	return readPod(ctx, r.Live, name)
}
