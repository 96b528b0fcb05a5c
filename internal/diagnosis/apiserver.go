package diagnosis

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UIDDiffers reports whether the API server refused because the pod of that name has another UID than the one meant.
func UIDDiffers(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}

// TooLarge reports whether the API server did not take an object for its size. That etcd finds it too large has no code of its own.
func TooLarge(err error) bool {
	words := err.Error()
	return apierrors.IsRequestEntityTooLargeError(err) || strings.Contains(words, "too large") || strings.Contains(words, "larger than max")
}

// Refused keeps the API server's words of why it refused to make or change a pod, and adds what can be done about them. The container that
// would have been added to the pod is called added; empty if none would.
func Refused(err error, added string) string {
	words := err.Error()
	if names := injectedTwice(err); len(names) > 0 {
		return fmt.Sprintf("the API server refused it: %s; an admission webhook or policy adds to every new pod what the copy already has from its target; "+
			"to omit it from the copy, set podCopy.omitContainers: [%s], and apply a new session", words, strings.Join(names, ", "))
	}
	advice := refusalRemedy(words)
	if added != "" {
		advice = cmp.Or(violatedBefore(words, added), advice)
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

// refusalRemedies are found by the words that the refusing plugin uses: the API has no code for them.
var refusalRemedies = []struct{ words, remedy string }{
	{"violates PodSecurity", "use a profile that the namespace's Pod Security level allows, such as profile: restricted, and no securityContext beyond it"},
	{"exceeded quota", "free some of the namespace's quota, or request less in debugger.resources; then apply a new session"},
	{"because it is being terminated", "the namespace is being deleted"},
	{"admission webhook", "ask that webhook's owner why; then apply a new session"},
	{"ValidatingAdmissionPolicy", "ask that policy's owner why; then apply a new session"},
	{"cannot patch resource", "the operator lacks this permission: its ClusterRole was changed; ask an administrator to restore it"},
	{"cannot create resource", "the operator lacks this permission: its ClusterRole was changed; ask an administrator to restore it"},
}

func refusalRemedy(words string) string {
	for _, r := range refusalRemedies {
		if strings.Contains(words, r.words) {
			return r.remedy
		}
	}
	return "fix what it names and apply a new session"
}
