package debugsession

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// classify tells apart what the API server's answer to an action means: done, refused for good, gone, or not known.
func classify(action plan.Action, err error) plan.Result {
	result := plan.Result{Action: action}
	switch {
	case err == nil:
	case apierrors.IsNotFound(err), otherPod(err):
		result.Gone = true
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err),
		apierrors.IsMethodNotSupported(err), apierrors.IsRequestEntityTooLargeError(err):
		result.Refusal = &plan.Refusal{Reason: v1alpha1.ReasonRefused, Message: explain(action, err)}
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

// otherPod reports whether the API server refused because the pod of that name has another UID than the one meant.
func otherPod(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}

// explain keeps the API server's words, and adds what can be done about them.
func explain(action plan.Action, err error) string {
	words := err.Error()
	if names := injectedTwice(err); len(names) > 0 {
		return fmt.Sprintf("the API server refused it: %s; an admission webhook or policy of this cluster adds to every new pod what the copy has from its target already; "+
			"to leave it out of the copy, set podCopy.omitContainers: [%s], and apply a new session", words, strings.Join(names, ", "))
	}
	advice := remedy(words)
	if inject, adds := action.(plan.InjectDebugger); adds {
		advice = cmp.Or(violatedBefore(words, inject.Container.Name), advice)
	}
	return fmt.Sprintf("the API server refused it: %s; %s", words, advice)
}

// containerName is the field of a container's name, in the API server's words.
var containerName = regexp.MustCompile(`^spec\.(initContainers|containers)\[\d+\]\.name$`)

// injectedTwice returns the containers that a pod would have twice. A builder makes none so: somebody else has added them.
func injectedTwice(err error) []string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var names []string
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeFieldValueDuplicate && containerName.MatchString(cause.Field) {
			if _, quoted, found := strings.Cut(cause.Message, `"`); found {
				names = append(names, strings.TrimSuffix(quoted, `"`))
			}
		}
	}
	return names
}

// remedies are found by the words that the refusing plugin uses: the API has no code for them.
var remedies = []struct{ words, remedy string }{
	{"violates PodSecurity", "use a profile that the namespace's Pod Security level allows, such as profile: restricted, and no securityContext beyond it"},
	{"exceeded quota", "free some of the namespace's quota, or ask for less in debugger.resources; then apply a new session"},
	{"because it is being terminated", "the namespace is being deleted"},
	{"admission webhook", "that webhook's owner can say why; then apply a new session"},
	{"ValidatingAdmissionPolicy", "that policy's owner can say why; then apply a new session"},
	{"cannot patch resource", "the operator lacks a right: whoever installed it has changed its ClusterRole"},
	{"cannot create resource", "the operator lacks a right: whoever installed it has changed its ClusterRole"},
}

func remedy(words string) string {
	for _, r := range remedies {
		if strings.Contains(words, r.words) {
			return r.remedy
		}
	}
	return "correct what it names and apply a new session"
}
