package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
)

var (
	defaultArtifactSize = resource.MustParse("16Mi")

	// mostArtifactSize bounds what a class may allow: it is read through the API server, within minutes.
	mostArtifactSize = resource.MustParse("1Gi")
)

// checkArtifacts holds back what puts files into the audit store, which its administrator pays for and others read.
func checkArtifacts(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if len(spec.Debugger.Artifacts) == 0 || class.Spec.Artifacts != nil {
		return ""
	}
	return "spec.debugger.artifacts: keeping files of the debugger is not allowed; remove it, or ask an administrator to set the class's artifacts"
}

// artifactSize is how large the files may be together that the session keeps; nil if it keeps none.
func artifactSize(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) *resource.Quantity {
	if class.Spec.Artifacts == nil || len(spec.Debugger.Artifacts) == 0 {
		return nil
	}
	size := defaultArtifactSize.DeepCopy()
	if most := class.Spec.Artifacts.MaxSize; most != nil {
		size = most.DeepCopy()
	}
	return &size
}

// narrowedArtifacts looks at what was granted: a class that was edited never lets a session keep more.
func narrowedArtifacts(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, granted *v1alpha1.ClassStatus) string {
	now := artifactSize(class, spec)
	if granted.MaxArtifactSize == nil || now == nil || granted.MaxArtifactSize.Cmp(*now) <= 0 {
		return "" // without a policy the session itself is not allowed any more
	}
	return fmt.Sprintf("it granted artifacts of up to %s, but its artifacts.maxSize is now %s", granted.MaxArtifactSize, now)
}

// WithoutStore says which sessions of a class wait where the operator has no audit store, and reports whether all do; empty if none does.
func WithoutStore(spec *v1alpha1.DebugClassSpec) (why string, all bool) {
	const remedy = "the operator has no audit store: start it with --audit-store=URL, or "
	switch {
	case spec.Audit == v1alpha1.AuditRequired:
		return "spec.audit: Required has every session wait, for " + remedy + "set audit: BestEffort", true
	case spec.Artifacts != nil:
		return "spec.artifacts: sessions that keep artifacts wait, for " + remedy + "remove artifacts", false
	}
	return "", false
}

func validateArtifacts(policy *v1alpha1.ArtifactPolicy) []string {
	if policy == nil || policy.MaxSize == nil || policy.MaxSize.Sign() > 0 && policy.MaxSize.Cmp(mostArtifactSize) <= 0 {
		return nil
	}
	return []string{fmt.Sprintf("spec.artifacts.maxSize: %s must be from 1 to %s; leave out artifacts to allow none", policy.MaxSize, &mostArtifactSize)}
}
