package debugsession

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/plan"
)

// classify tells apart what the API server's answer to an action means: done, refused for good, gone, or not known.
func classify(action plan.Action, err error) plan.Result {
	result := plan.Result{Action: action}
	var invalid *debugpod.InvalidError
	switch {
	case err == nil:
	case errors.As(err, &invalid):
		result.Refusal = &plan.Refusal{Reason: v1alpha1.ReasonInvalid, Message: invalid.Error()}
	case apierrors.IsNotFound(err), diagnosis.UIDDiffers(err):
		result.Gone = true
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err),
		apierrors.IsMethodNotSupported(err), apierrors.IsRequestEntityTooLargeError(err):
		result.Refusal = &plan.Refusal{Reason: v1alpha1.ReasonRefused, Message: diagnosis.Refused(err, addedBy(action))}
	default:
		result.Err = err
	}
	return result
}

// classifyDeletion is classify for a deletion with a UID as its precondition: a conflict is about that.
func classifyDeletion(action plan.Action, err error) plan.Result {
	if apierrors.IsConflict(err) {
		return plan.Result{Action: action, Gone: true}
	}
	return classify(action, err)
}

// classifyExec is classify for a command that was run in a container, which may have ended.
func classifyExec(action plan.Action, err error) plan.Result {
	if err != nil && hasStopped(err) {
		return plan.Result{Action: action, Gone: true}
	}
	return classify(action, err)
}

// addedBy is the container that an action adds to a pod; empty if it adds none.
func addedBy(action plan.Action) string {
	if inject, adds := action.(plan.InjectDebugger); adds {
		return inject.Container.Name
	}
	return ""
}
