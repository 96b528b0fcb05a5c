package debugpod

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
)

// traits is what a profile means. A profile that is not in the table means nothing, and nothing is built for it.
type traits struct {
	capabilities []corev1.Capability // that it adds
	privileged   bool
	afresh       bool // keeps nothing of a container that becomes the debugger
	restricted   bool // takes away what the restricted Pod Security Standard forbids
	linuxOnly    bool // what it grants does not exist on Windows

	// What a pod on a node shares of it.
	nodeNamespaces, nodeFiles bool
}

var profiles = map[v1alpha1.Profile]traits{
	v1alpha1.ProfileLegacy:     {nodeNamespaces: true, nodeFiles: true},
	v1alpha1.ProfileGeneral:    {capabilities: []corev1.Capability{"SYS_PTRACE"}, nodeNamespaces: true, nodeFiles: true},
	v1alpha1.ProfileBaseline:   {afresh: true},
	v1alpha1.ProfileRestricted: {afresh: true, restricted: true},
	v1alpha1.ProfileNetadmin:   {capabilities: []corev1.Capability{"NET_ADMIN", "NET_RAW"}, linuxOnly: true, nodeNamespaces: true},
	v1alpha1.ProfileSysadmin:   {privileged: true, linuxOnly: true, nodeNamespaces: true, nodeFiles: true},
}

func traitsOf(profile v1alpha1.Profile) (traits, error) {
	found, known := profiles[cmp.Or(profile, v1alpha1.ProfileGeneral)]
	if !known {
		return traits{}, unknownProfile(profile)
	}
	return found, nil
}

// GrantedCapabilities returns the capabilities that a profile adds.
func GrantedCapabilities(profile v1alpha1.Profile) []corev1.Capability {
	return profiles[profile].capabilities
}

// GrantsPrivileged reports whether a profile makes the debugger privileged.
func GrantsPrivileged(profile v1alpha1.Profile) bool { return profiles[profile].privileged }

// DropsAll reports whether a debugger of this profile may have no capability that it does not add: so it is with one that nobody knows.
func DropsAll(profile v1alpha1.Profile) bool {
	found, known := profiles[profile]
	return found.restricted || !known
}

const securityContextField = "spec.debugger.securityContext"

// securityContext returns what the debugger runs with: all that its author set, and what the profile sets wherever the
// author set nothing. existing is what a container that becomes the debugger has; nil for a new one. The profiles baseline
// and restricted begin afresh, the others build on it. Each field counts by itself, and so do the lists of capabilities to add and to drop: this is the
// merge that kubectl debug does with --custom.
//
// It fills gaps instead of writing the profile first and the author's fields over it, so that nothing can be added
// twice, and a field of the profile that Kubernetes forbids beside one of the author's can be left out.
func securityContext(session *v1alpha1.DebugSession, target *corev1.Pod, existing *corev1.SecurityContext) (*corev1.SecurityContext, error) {
	sc, err := profiled(session, target, existing, session.Spec.Debugger.SecurityContext)
	if err != nil || session.Spec.Debugger.RunAs != v1alpha1.RunAsFromTarget {
		return sc, err
	}
	return runAsTarget(session, target, sc)
}

// profiled is what the debugger runs with, but for the user that it may take from its target.
func profiled(session *v1alpha1.DebugSession, target *corev1.Pod, existing, own *corev1.SecurityContext) (*corev1.SecurityContext, error) {
	profile, err := traitsOf(session.Spec.Profile)
	if err != nil {
		return nil, err
	}
	if profile.afresh {
		existing = nil
	}
	sc := overlay(existing, own)
	switch {
	case isWindows(target):
		return windowsSecurityContext(session.Spec.Profile, profile, sc)
	case profile.privileged:
		return setPrivileged(sc, own)
	case profile.restricted:
		return restrict(sc), nil
	case session.Spec.Mode == v1alpha1.ModeNode && profile.nodeFiles:
		return sc, nil // as in kubectl: what it gives there is the node's namespaces and files
	case len(profile.capabilities) > 0:
		return addCapabilities(sc, own, profile.capabilities...), nil
	default:
		return sc, nil
	}
}

// windowsSecurityContext is the profile for a pod that says it is for Windows, where Kubernetes refuses capabilities,
// privileged, seccomp and privilege escalation. What a profile takes away there is nothing to take from; what it
// would grant does not exist, and saying so beats granting nothing in silence.
func windowsSecurityContext(name v1alpha1.Profile, profile traits, sc *corev1.SecurityContext) (*corev1.SecurityContext, error) {
	switch {
	case profile.restricted:
		return setRunAsNonRoot(sc), nil
	case profile.linuxOnly:
		return nil, &InvalidError{
			Field:   "spec.profile",
			Message: fmt.Sprintf("profile %s grants Linux privileges, but the target is a Windows pod: use general, and set what the debugger needs in debugger.securityContext.windowsOptions", name),
		}
	}
	return sc, nil
}

func unknownProfile(profile v1alpha1.Profile) error {
	return &InvalidError{Field: "spec.profile", Message: fmt.Sprintf("%q is not a profile: use %s", profile, plaintext.Or(v1alpha1.Profiles()))}
}

func isWindows(pod *corev1.Pod) bool {
	return pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows
}

// overlay returns base with every field over it that own sets, at any depth. Lists count as a whole.
func overlay(base, own *corev1.SecurityContext) *corev1.SecurityContext {
	if base == nil || own == nil {
		return cmp.Or(base, own).DeepCopy()
	}
	merged := base.DeepCopy()
	data, err := json.Marshal(own)
	if err == nil {
		err = json.Unmarshal(data, merged) // leaves alone what the data does not speak of
	}
	if err != nil {
		panic(err) // cannot be: it is plain data
	}
	return merged
}

// addCapabilities adds capabilities that are not there yet, unless the author chose which to add.
func addCapabilities(sc, own *corev1.SecurityContext, capabilities ...corev1.Capability) *corev1.SecurityContext {
	sc = orEmpty(sc)
	if sc.Capabilities == nil {
		sc.Capabilities = &corev1.Capabilities{}
	}
	if own != nil && own.Capabilities != nil && len(own.Capabilities.Add) > 0 {
		return sc
	}
	for _, capability := range capabilities {
		if !slices.Contains(sc.Capabilities.Add, capability) {
			sc.Capabilities.Add = append(sc.Capabilities.Add, capability)
		}
	}
	return sc
}

// setPrivileged makes the debugger privileged unless the author said whether it is. A container that is there may forbid
// privilege escalation, which Kubernetes refuses beside it.
func setPrivileged(sc, own *corev1.SecurityContext) (*corev1.SecurityContext, error) {
	sc, own = orEmpty(sc), orEmpty(own)
	if own.Privileged != nil {
		return sc, nil
	}
	if denied := own.AllowPrivilegeEscalation; denied != nil && !*denied {
		return nil, &InvalidError{
			Field:   securityContextField + ".allowPrivilegeEscalation",
			Message: "profile sysadmin makes the debugger privileged, which Kubernetes rejects with allowPrivilegeEscalation: false: remove that, set privileged: false, or use another profile",
		}
	}
	if own.AllowPrivilegeEscalation == nil {
		sc.AllowPrivilegeEscalation = nil
	}
	privileged := true
	sc.Privileged = &privileged
	return sc, nil
}

// restrict sets what the restricted Pod Security Standard demands, wherever the author set nothing.
func restrict(sc *corev1.SecurityContext) *corev1.SecurityContext {
	sc = setRunAsNonRoot(sc)
	if sc.Capabilities == nil {
		sc.Capabilities = &corev1.Capabilities{}
	}
	if len(sc.Capabilities.Drop) == 0 {
		sc.Capabilities.Drop = []corev1.Capability{"ALL"}
	}
	if sc.AllowPrivilegeEscalation == nil && !needsPrivilegeEscalation(sc) {
		allowed := false
		sc.AllowPrivilegeEscalation = &allowed
	}
	if sc.SeccompProfile == nil {
		sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	return sc
}

func setRunAsNonRoot(sc *corev1.SecurityContext) *corev1.SecurityContext {
	sc = orEmpty(sc)
	if sc.RunAsNonRoot == nil {
		nonRoot := true
		sc.RunAsNonRoot = &nonRoot
	}
	return sc
}

// needsPrivilegeEscalation reports whether Kubernetes refuses allowPrivilegeEscalation: false beside what is set.
func needsPrivilegeEscalation(sc *corev1.SecurityContext) bool {
	return sc.Privileged != nil && *sc.Privileged || slices.Contains(sc.Capabilities.Add, "CAP_SYS_ADMIN")
}

func orEmpty(sc *corev1.SecurityContext) *corev1.SecurityContext {
	if sc == nil {
		return &corev1.SecurityContext{}
	}
	return sc
}
