package policy

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/imagepattern"
)

const (
	// DefaultTTL is how long a session lasts if neither it nor its class says.
	DefaultTTL = 30 * time.Minute

	// defaultReviewWithin is by when an emergency must be reviewed if its class does not say.
	defaultReviewWithin = 24 * time.Hour
)

// Grant is what the class gives this session: written down when it is found fit, and not read again.
func Grant(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) *v1alpha1.ClassStatus {
	granted := &v1alpha1.ClassStatus{
		Name: class.Name, UID: class.UID, Generation: class.Generation,
		Image:       grantedImage(class, spec),
		Profile:     effectiveProfile(class, spec),
		TTL:         v1alpha1.Duration{Duration: min(DefaultTTL, class.Spec.MaxTTL.Duration)},
		MaxTTL:      v1alpha1.Duration(class.Spec.MaxTTL),
		AccessVerbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessLogs},
		Retention:   (*v1alpha1.Duration)(class.Spec.Retention.DeepCopy()),
		IdleTimeout: (*v1alpha1.Duration)(idleTimeout(class, spec)),
		Allows:      allows(class),
		Audit:       class.Spec.Audit,

		MaxArtifactSize: artifactSize(class, spec),
	}
	for _, before := range class.Spec.EndWarnings {
		granted.EndWarnings = append(granted.EndWarnings, v1alpha1.Duration(before))
	}
	if d := class.Spec.Defaults; d != nil && d.TTL != nil {
		granted.TTL = v1alpha1.Duration(*d.TTL)
	}
	if access := class.Spec.Access; access != nil && len(access.Verbs) > 0 {
		granted.AccessVerbs = slices.Clone(access.Verbs)
	}
	if approval := class.Spec.Approval; approval != nil && approval.Required > 0 && !exempt(approval.Exempt, spec.Requester) {
		granted.ApprovalsRequired, granted.SelfApproval = approval.Required, approval.SelfApproval
		granted.RequireRequestHash, granted.Emergency = approval.RequireRequestHash, grantEmergency(class)
		granted.ApprovalTimeout = &v1alpha1.Duration{Duration: v1alpha1.DefaultApprovalTimeout}
		if approval.Timeout != nil {
			granted.ApprovalTimeout = (*v1alpha1.Duration)(approval.Timeout.DeepCopy())
		}
	}
	return granted
}

// grantEmergency is how the class lets a session start before its approval, or nil.
func grantEmergency(class *v1alpha1.DebugClass) *v1alpha1.EmergencyGrant {
	policy := class.Spec.Approval.Emergency
	if policy == nil {
		return nil
	}
	granted := &v1alpha1.EmergencyGrant{
		ReviewWithin: v1alpha1.Duration{Duration: cmp.Or(policy.ReviewWithin.Duration, defaultReviewWithin)},
		MaxTTL:       v1alpha1.Duration(class.Spec.MaxTTL),
	}
	if policy.MaxTTL != nil {
		granted.MaxTTL.Duration = min(granted.MaxTTL.Duration, policy.MaxTTL.Duration)
	}
	return granted
}

// grantedImage is the image in full where the class restricts images: what was compared is then what every runtime runs,
// also one that would complete a short name in its own way.
func grantedImage(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	image := effectiveImage(class, spec)
	if len(class.Spec.Images) > 0 {
		if full, err := imagepattern.Normalize(image); err == nil {
			return full
		}
	}
	return image
}

// idleTimeout is after how long without use the session ends: what it says, else what its class says; nil if it does not.
func idleTimeout(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) *metav1.Duration {
	switch defaults := class.Spec.Defaults; {
	case !debugpod.CanIdle(spec):
		return nil
	case spec.IdleTimeout != nil:
		return spec.IdleTimeout.DeepCopy()
	case defaults != nil && defaults.IdleTimeout != nil:
		return defaults.IdleTimeout.DeepCopy()
	default:
		return class.Spec.MaxIdleTimeout.DeepCopy()
	}
}

// effectiveImage is the debugger's image; empty for a container of the copy that keeps its own.
func effectiveImage(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if spec.Debugger.Image == "" && class.Spec.Defaults != nil && debugpod.AddsContainer(spec) {
		return class.Spec.Defaults.Image
	}
	return spec.Debugger.Image
}

// GrantKeptImage grants a container of the copy that becomes the debugger the image that it has in the target, where the class
// restricts images: it is then the debugger's, and cannot be changed in the target meanwhile. It returns why the class does not allow
// that image; empty if it does.
func GrantKeptImage(granted *v1alpha1.ClassStatus, class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, target *corev1.Pod) string {
	name := spec.Debugger.Container
	if name == "" || granted.Image != "" || len(class.Spec.Images) == 0 || changesImage(spec, name) {
		return ""
	}
	image := debugpod.ImageOf(target, name)
	if image == "" {
		return "" // there is no such container, as the builder says
	}
	if why := checkImage(class, "spec.debugger.container: the image of container "+strconv.Quote(name), image); why != "" {
		return by(class.Name, why) + "; set debugger.image to one of those"
	}
	if full, err := imagepattern.Normalize(image); err == nil {
		granted.Image = full
	}
	return ""
}

// changesImage reports whether the session gives a container of the copy another image by podCopy.containers.
func changesImage(spec *v1alpha1.DebugSessionSpec, container string) bool {
	return spec.PodCopy != nil && slices.ContainsFunc(spec.PodCopy.Containers, func(c v1alpha1.ContainerChange) bool {
		return c.Image != "" && (c.Name == container || c.Name == "*")
	})
}

func effectiveProfile(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) v1alpha1.Profile {
	switch {
	case spec.Profile != "":
		return spec.Profile
	case class.Spec.Defaults != nil && class.Spec.Defaults.Profile != "":
		return class.Spec.Defaults.Profile
	case slices.Contains(class.Spec.Profiles, v1alpha1.ProfileGeneral) || len(class.Spec.Profiles) == 0:
		return v1alpha1.ProfileGeneral
	default:
		return class.Spec.Profiles[0]
	}
}

// allows is what the class allows what is made to have.
func allows(class *v1alpha1.DebugClass) *v1alpha1.ClassAllows {
	return &v1alpha1.ClassAllows{
		SecurityContext: class.Spec.AllowSecurityContext,
		Volumes:         class.Spec.AllowVolumes,
		Priority:        class.Spec.AllowPriority,
		Resources:       class.Spec.Resources.DeepCopy(),
	}
}

// Lessen is what was recorded, without what the class does not allow any more. A class that was edited never gives more.
func Lessen(recorded *v1alpha1.ClassAllows, class *v1alpha1.DebugClass) *v1alpha1.ClassAllows {
	now := allows(class)
	if recorded == nil {
		return now // by an operator that did not record it
	}
	now.SecurityContext = now.SecurityContext && recorded.SecurityContext
	now.Volumes = now.Volumes && recorded.Volumes
	now.Priority = now.Priority && recorded.Priority
	if before := recorded.Resources; before != nil {
		bounds := cmp.Or(now.Resources, &v1alpha1.ResourceBounds{})
		bounds.Debugger, bounds.Pod = lesser(before.Debugger, bounds.Debugger), lesser(before.Pod, bounds.Pod)
		now.Resources = bounds
	}
	return now
}

// lesser holds to both bounds.
func lesser(a, b corev1.ResourceList) corev1.ResourceList {
	if len(a) == 0 {
		return b
	}
	both := a.DeepCopy()
	for name, quantity := range b {
		if before, bound := both[name]; !bound || quantity.Cmp(before) < 0 {
			both[name] = quantity
		}
	}
	return both
}
