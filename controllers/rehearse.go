package controllers

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// errEnough ends a rehearsal that must not cost more.
var errEnough = errors.New("what would become of the session takes more requests")

// Rehearse returns what would become of a session that is about to be created, and that its requester may have. Nothing is made. If it is
// not thorough it costs one request at most, for what the session will be asked about anyway, and fails if that does not tell.
func (r *DebugSessionReconciler) Rehearse(ctx context.Context, session *v1alpha1.DebugSession, thorough bool) (*v1alpha1.DebugSessionStatus, error) {
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
		case plan.ReadAccessState:
			s.Access = plan.Found(plan.AccessUnsure)
		case plan.ReadApprovals:
			s.Approvals = plan.Found[[]plan.Approval](nil).Fresh()
		case plan.CountRunning:
			s.Running = r.observeRunning(ctx, session)
		case plan.ReadTarget:
			s.Target = r.readUnlisted(ctx, types.NamespacedName{Namespace: session.Namespace, Name: q.Name}, selected).Fresh()
		case plan.ReadClass, plan.ReadNamespace, plan.FindOwnerSession, plan.ReadNode:
			r.answer(ctx, session, question, s)
		case plan.ListCandidates:
			if session.Spec.Target.Workload != nil && !thorough {
				return r.findWorkload(ctx, s)
			}
			var err error
			selected, err = r.candidates(ctx, session)
			s.Candidates = foundCandidates(selected, err)
		default:
			if !thorough {
				return errEnough
			}
			r.answer(ctx, session, question, s)
		}
		return nil
	})
}

// readUnlisted reads a pod, unless it is one of those that were just listed.
func (r *DebugSessionReconciler) readUnlisted(ctx context.Context, name types.NamespacedName, listed []corev1.Pod) plan.Observed[*corev1.Pod] {
	if i := slices.IndexFunc(listed, func(pod corev1.Pod) bool { return pod.Name == name.Name }); i >= 0 {
		return plan.Found(&listed[i])
	}
	return readPod(ctx, r.Live, name)
}

// findWorkload answers only if there are no candidates, as the workload is not there or is none.
func (r *DebugSessionReconciler) findWorkload(ctx context.Context, s *plan.Snapshot) error {
	_, err := r.selector(ctx, s.Session)
	var refusal *plan.Refusal
	switch {
	case apierrors.IsNotFound(err):
		s.Candidates = plan.Absent[[]corev1.Pod]()
	case errors.As(err, &refusal):
		s.Candidates = plan.Unknown[[]corev1.Pod](err)
	default:
		return errEnough
	}
	return nil
}
