package policy

import (
	"cmp"
	"fmt"
	"slices"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// Revalidate says why the class, as it is now, does not allow what it granted when the session was found fit; empty if it does. What a
// session says itself Check looks at; this is about what it got from its class. The grant is not cut down: it is what
// was approved.
func Revalidate(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, granted *v1alpha1.ClassStatus) string {
	if granted == nil {
		return ""
	}
	why := cmp.Or(
		narrowedImage(class, granted),
		narrowedProfile(class, granted),
		narrowedTime(class, granted),
		narrowedIdleTimeout(class, spec, granted),
		narrowedAccess(class, spec, granted),
		narrowedArtifacts(class, spec, granted),
		narrowedEmergency(class, spec, granted),
	)
	if why == "" {
		return ""
	}
	return fmt.Sprintf("class %q was edited or replaced while the session waited: %s; apply a new session", class.Name, why)
}

func narrowedImage(class *v1alpha1.DebugClass, granted *v1alpha1.ClassStatus) string {
	if granted.Image == "" {
		return ""
	}
	return checkImage(class, "the image it granted", granted.Image)
}

func narrowedProfile(class *v1alpha1.DebugClass, granted *v1alpha1.ClassStatus) string {
	if slices.Contains(class.Spec.Profiles, granted.Profile) {
		return ""
	}
	return fmt.Sprintf("it granted profile %s, but now allows only %s", granted.Profile, list(class.Spec.Profiles))
}

// narrowedTime looks at the most that was granted and not at what is asked for: a session that has started may ask for that.
func narrowedTime(class *v1alpha1.DebugClass, granted *v1alpha1.ClassStatus) string {
	if granted.MaxTTL.Duration > class.Spec.MaxTTL.Duration {
		return fmt.Sprintf("it granted a ttl of up to %s, but its maxTTL is now %s", v1alpha1.FormatDuration(granted.MaxTTL.Duration), v1alpha1.FormatDuration(class.Spec.MaxTTL.Duration))
	}
	return ""
}

// narrowedEmergency is about an emergency alone. Any other session waits for its approval.
func narrowedEmergency(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, granted *v1alpha1.ClassStatus) string {
	now := Grant(class, spec).Emergency
	switch {
	case !spec.Emergency || granted.Emergency == nil || granted.ApprovalsRequired == 0:
		return ""
	case now == nil:
		return "it no longer lets sessions start before approval in an emergency"
	case now.MaxTTL.Duration < granted.Emergency.MaxTTL.Duration:
		return fmt.Sprintf("its approval.emergency.maxTTL was %s, and is now only %s", v1alpha1.FormatDuration(granted.Emergency.MaxTTL.Duration), v1alpha1.FormatDuration(now.MaxTTL.Duration))
	case now.ReviewWithin.Duration < granted.Emergency.ReviewWithin.Duration:
		return fmt.Sprintf("its approval.emergency.reviewWithin was %s, and is now only %s", v1alpha1.FormatDuration(granted.Emergency.ReviewWithin.Duration), v1alpha1.FormatDuration(now.ReviewWithin.Duration))
	}
	return ""
}

func narrowedAccess(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, granted *v1alpha1.ClassStatus) string {
	now := Grant(class, spec)
	for _, verb := range granted.AccessVerbs {
		if !slices.Contains(now.AccessVerbs, verb) {
			return fmt.Sprintf("it granted the access verbs %s, but now grants only %s", list(granted.AccessVerbs), list(now.AccessVerbs))
		}
	}
	if now.ApprovalsRequired > granted.ApprovalsRequired {
		return fmt.Sprintf("it requires more approvals: %d before, %d now", granted.ApprovalsRequired, now.ApprovalsRequired)
	}
	if granted.SelfApproval && now.ApprovalsRequired > 0 && !now.SelfApproval {
		return "it no longer counts the requester's own approval"
	}
	if now.RequireRequestHash && !granted.RequireRequestHash {
		return "it no longer counts approvals without requestHash"
	}
	return ""
}

// narrowedIdleTimeout looks at what was granted: a class that was edited never lets a session be idle for longer.
func narrowedIdleTimeout(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, granted *v1alpha1.ClassStatus) string {
	most := class.Spec.MaxIdleTimeout
	if most == nil || !debugpod.CanIdle(spec) || granted.IdleTimeout != nil && granted.IdleTimeout.Duration <= most.Duration {
		return ""
	}
	return fmt.Sprintf("its maxIdleTimeout is now %s, less than it granted", v1alpha1.FormatDuration(most.Duration))
}
