package story

import (
	"cmp"
	"strconv"
	"strings"

	"debugsession.dev/operator/api/v1alpha1"
)

// ClassRow is a class in a list: modes, profiles, the longest ttl, approvals, access.
func ClassRow(class *v1alpha1.DebugClass) []string {
	return []string{
		joined(class.Spec.Modes, ","), joined(class.Spec.Profiles, ","), Duration(class.Spec.MaxTTL.Duration), strconv.Itoa(Approvals(class)),
		joined(verbs(class), ","),
	}
}

// recorded is what becomes of what a debugger of the class prints, in a word.
func recorded(class *v1alpha1.DebugClass) string {
	switch class.Spec.Transcript {
	case v1alpha1.TranscriptRequired:
		return "yes"
	case v1alpha1.TranscriptBestEffort:
		return "best effort"
	default:
		return "no"
	}
}

func verbs(class *v1alpha1.DebugClass) []v1alpha1.AccessVerb {
	if class.Spec.Access != nil && len(class.Spec.Access.Verbs) > 0 {
		return class.Spec.Access.Verbs
	}
	return []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessLogs}
}

// WideClassRow is more of it: images, the image and the ttl of who names none, whether a reason is asked for, and whether what is printed
// is recorded.
func WideClassRow(class *v1alpha1.DebugClass) []string {
	image, ttl, reason := "", "", "no"
	if defaults := class.Spec.Defaults; defaults != nil {
		image = defaults.Image
		if defaults.TTL != nil {
			ttl = Duration(defaults.TTL.Duration)
		}
	}
	if policy := class.Spec.Reason; policy != nil && policy.Required {
		reason = cmp.Or(policy.Pattern, "yes")
	}
	return []string{cmp.Or(strings.Join(class.Spec.Images, ","), "any"), image, ttl, reason, recorded(class)}
}

// Approvals is how many people must approve a class's sessions.
func Approvals(class *v1alpha1.DebugClass) int {
	if class.Spec.Approval == nil {
		return 0
	}
	return int(class.Spec.Approval.Required)
}

func joined[T ~string](words []T, by string) string {
	plain := make([]string, len(words))
	for i, word := range words {
		plain[i] = string(word)
	}
	return strings.Join(plain, by)
}

// Granted is what a session gets by its class, and who gets it, in a sentence.
func Granted(class *v1alpha1.DebugClass, session *v1alpha1.DebugSession) string {
	line := "by class " + class.Name
	switch n := Approvals(class); n {
	case 0:
	case 1:
		line += ", after 1 approval"
	default:
		line += ", after " + strconv.Itoa(n) + " approvals"
	}
	if session.Spec.TTL != nil {
		line += ", for " + Duration(session.Spec.TTL.Duration)
	} else if class.Spec.Defaults != nil && class.Spec.Defaults.TTL != nil {
		line += ", for " + Duration(class.Spec.Defaults.TTL.Duration)
	}
	return line + " (at most " + Duration(class.Spec.MaxTTL.Duration) + "); " + joined(verbs(class), ", ") + subjects(session) + recordedNote(class)
}

// recordedNote tells who asks for a session that what is printed in it is kept.
func recordedNote(class *v1alpha1.DebugClass) string {
	switch class.Spec.Transcript {
	case v1alpha1.TranscriptRequired:
		return "; output is recorded"
	case v1alpha1.TranscriptBestEffort:
		return "; output is recorded if the operator has an audit store"
	default:
		return ""
	}
}
