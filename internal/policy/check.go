package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/imagepattern"
	"debugsession.dev/operator/internal/plaintext"
)

// Check says why the class does not allow the session; empty if it does. Admission asks it first, to tell whoever applies the
// session, and the planner asks it again before the session starts. The namespace is given by its labels; inOwn reports whether
// it is the operator's own.
func Check(class *v1alpha1.DebugClass, session *v1alpha1.DebugSession, namespace labels.Set, inOwn bool) string {
	spec := &session.Spec
	for _, check := range []func(*v1alpha1.DebugClass, *v1alpha1.DebugSessionSpec) string{
		checkMode, checkPodNetwork, checkVolumeClaim, checkTargetImage, checkMembers, checkProfile, checkImages, checkPullSecrets, checkPrivileges, checkReads, checkTargetEnvironment, checkArtifacts, checkResources, checkUnstoppable, checkReplaces,
		checkTTL, checkIdleTimeout, checkReason, checkEmergency, checkSubjects,
	} {
		if why := check(class, spec); why != "" {
			return by(class.Name, why)
		}
	}
	if why := checkArmed(class, session); why != "" {
		return by(class.Name, why)
	}
	return checkNamespace(class, spec, namespace, inOwn)
}

func checkMode(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if slices.Contains(class.Spec.Modes, spec.Mode) {
		return ""
	}
	return fmt.Sprintf("spec.mode: %s is not allowed; allowed: %s", spec.Mode, list(class.Spec.Modes))
}

func checkProfile(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if spec.Profile == "" || slices.Contains(class.Spec.Profiles, spec.Profile) {
		return ""
	}
	return fmt.Sprintf("spec.profile: %s is not allowed; allowed: %s", spec.Profile, list(class.Spec.Profiles))
}

// checkImages holds every image that a session brings against the class: the debugger's, and those of a copy's containers.
func checkImages(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	debugger := effectiveImage(class, spec)
	if debugger == "" && debugpod.AddsContainer(spec) {
		return "spec.debugger.image: required, as the class has no default"
	}
	if debugger != "" {
		if why := checkImage(class, "spec.debugger.image", debugger); why != "" {
			return why
		}
	}
	if spec.PodCopy == nil {
		return ""
	}
	for i := range spec.PodCopy.Containers {
		image := spec.PodCopy.Containers[i].Image
		if image == "" {
			continue
		}
		if why := checkImage(class, fmt.Sprintf("spec.podCopy.containers[%d].image", i), image); why != "" {
			return why
		}
	}
	return ""
}

func checkImage(class *v1alpha1.DebugClass, field, image string) string {
	if len(class.Spec.Images) == 0 {
		return ""
	}
	allowed, err := imagepattern.MatchAny(class.Spec.Images, image)
	switch {
	case err != nil:
		return fmt.Sprintf("%s: %q is not a valid image name: %v", field, image, err)
	case !allowed:
		return fmt.Sprintf("%s: %q is not allowed; allowed: %s", field, image, strings.Join(class.Spec.Images, ", "))
	}
	return ""
}

// anyPullSecret is how a class lists every Secret.
const anyPullSecret = "*"

// checkPullSecrets holds the Secrets by which images are pulled against the class. With one that the requester may not read they could run, and
// so read, what is in a registry that is not theirs.
func checkPullSecrets(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	allowed := class.Spec.ImagePullSecrets
	if slices.Contains(allowed, anyPullSecret) {
		return ""
	}
	for i, secret := range spec.ImagePullSecrets {
		if slices.Contains(allowed, secret.Name) {
			continue
		}
		lists := "; allowed: " + strings.Join(allowed, ", ")
		if len(allowed) == 0 {
			lists = ", as the class lists none; remove it, or ask an administrator to list it in the class's imagePullSecrets"
		}
		return fmt.Sprintf("spec.imagePullSecrets[%d].name: %q is not allowed%s", i, secret.Name, lists)
	}
	return ""
}

func checkPrivileges(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if class.Spec.AllowSecurityContext {
		return ""
	}
	field := raises(spec.Debugger.SecurityContext)
	if field == "" && dropsLess(class, spec) {
		field = "capabilities.drop"
	}
	if field != "" {
		return fmt.Sprintf("spec.debugger.securityContext.%s: exceeds the profile, which is not allowed; choose another profile or class", field)
	}
	return ""
}

// dropsLess reports whether a session's own list of capabilities to drop may take the place of a longer one: that of the profile
// restricted, which is ALL, or that of the container which becomes the debugger.
func dropsLess(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) bool {
	sc := spec.Debugger.SecurityContext
	if sc == nil || sc.Capabilities == nil || len(sc.Capabilities.Drop) == 0 || slices.Contains(sc.Capabilities.Drop, "ALL") {
		return false
	}
	return spec.Debugger.Container != "" || debugpod.DropsAll(effectiveProfile(class, spec))
}

// raises names the first field by which a security context may do more than take privileges away.
func raises(sc *corev1.SecurityContext) string {
	if sc == nil {
		return ""
	}
	isTrue := func(b *bool) bool { return b != nil && *b }
	isFalse := func(b *bool) bool { return b != nil && !*b }
	for _, f := range []struct {
		name   string
		raises bool
	}{
		{"privileged", isTrue(sc.Privileged)},
		{"capabilities.add", sc.Capabilities != nil && len(sc.Capabilities.Add) > 0},
		{"allowPrivilegeEscalation", isTrue(sc.AllowPrivilegeEscalation)},
		{"runAsNonRoot", isFalse(sc.RunAsNonRoot)},
		{"runAsUser", sc.RunAsUser != nil && *sc.RunAsUser == 0},
		{"runAsGroup", sc.RunAsGroup != nil && *sc.RunAsGroup == 0},
		{"readOnlyRootFilesystem", isFalse(sc.ReadOnlyRootFilesystem)},
		{"procMount", sc.ProcMount != nil && *sc.ProcMount != corev1.DefaultProcMount},
		{"seccompProfile", sc.SeccompProfile != nil && sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault},
		{"appArmorProfile", sc.AppArmorProfile != nil && sc.AppArmorProfile.Type != corev1.AppArmorProfileTypeRuntimeDefault},
		{"seLinuxOptions", sc.SELinuxOptions != nil},
		{"windowsOptions", sc.WindowsOptions != nil},
	} {
		if f.raises {
			return f.name
		}
	}
	return ""
}

// checkReads holds back what would let a requester read what they perhaps may not: volumes, ConfigMaps and Secrets.
func checkReads(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if class.Spec.AllowVolumes {
		return ""
	}
	debugger := &spec.Debugger
	switch {
	case debugger.Container != "" && spec.Target.Image == "": // which brings no volumes
		return "spec.debugger.container: mounting the target's volumes, as it does, is not allowed"
	case debugger.MountsFrom != "":
		return "spec.debugger.mountsFrom: mounting the target's volumes is not allowed"
	case len(debugger.VolumeMounts) > 0:
		return "spec.debugger.volumeMounts: mounting the target's volumes is not allowed"
	case len(debugger.EnvFrom) > 0:
		return "spec.debugger.envFrom: reading ConfigMaps and Secrets is not allowed"
	}
	envs := [][]corev1.EnvVar{debugger.Env}
	if spec.PodCopy != nil {
		for i := range spec.PodCopy.Containers {
			envs = append(envs, spec.PodCopy.Containers[i].Env)
		}
	}
	for _, env := range envs {
		for i := range env {
			if readsObject(&env[i]) {
				return fmt.Sprintf("env %s: reading ConfigMaps, Secrets and files is not allowed", env[i].Name)
			}
		}
	}
	return ""
}

// checkTargetEnvironment holds back the target's variables, plain ones too: it is not known which of them are secrets.
func checkTargetEnvironment(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if !spec.Debugger.EnvFromTarget || class.Spec.AllowTargetEnvironment || class.Spec.AllowVolumes {
		return ""
	}
	return "spec.debugger.envFromTarget: having the target's environment is not allowed; remove it, or ask an administrator to set the class's allowTargetEnvironment"
}

// readsObject reports whether a variable's value comes from a Secret, a ConfigMap or a file.
func readsObject(variable *corev1.EnvVar) bool {
	from := variable.ValueFrom
	return from != nil && (from.SecretKeyRef != nil || from.ConfigMapKeyRef != nil || from.FileKeyRef != nil)
}

// checkResources says early what the builder would say of the claims that a session makes itself.
func checkResources(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	bounds := class.Spec.Resources
	if bounds == nil {
		return ""
	}
	for _, most := range []corev1.ResourceList{bounds.Debugger, bounds.Pod} {
		if why := exceeds("spec.debugger.resources", "the debugger", spec.Debugger.Resources, most); why != "" {
			return why
		}
	}
	if spec.PodCopy == nil {
		return ""
	}
	for i := range spec.PodCopy.Containers {
		change := &spec.PodCopy.Containers[i]
		field := fmt.Sprintf("spec.podCopy.containers[%d].resources", i)
		if why := exceeds(field, fmt.Sprintf("container %q", change.Name), change.Resources, bounds.Pod); why != "" {
			return why
		}
	}
	return ""
}

func exceeds(field, who string, claimed *corev1.ResourceRequirements, bounds corev1.ResourceList) string {
	if claimed == nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(bounds)) {
		if err := debugpod.CheckBound(field, who, claimed, name, bounds[name]); err != nil {
			return err.Error()
		}
	}
	return ""
}

func checkUnstoppable(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if !spec.Debugger.Unstoppable || class.Spec.AllowUnstoppable {
		return ""
	}
	return "spec.debugger.unstoppable: a debugger that cannot be stopped is not allowed; use an image with a shell, or mode: PodCopy"
}

func checkReplaces(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if debugpod.Replaces(spec) == "" || class.Spec.AllowReplace {
		return ""
	}
	return "spec.podCopy.replaceOriginal: deleting the target is not allowed"
}

func checkTTL(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if spec.TTL == nil || spec.TTL.Duration <= class.Spec.MaxTTL.Duration {
		return ""
	}
	return fmt.Sprintf("spec.ttl: %s exceeds the class's maxTTL of %s", v1alpha1.FormatDuration(spec.TTL.Duration), v1alpha1.FormatDuration(class.Spec.MaxTTL.Duration))
}

func checkIdleTimeout(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	most := class.Spec.MaxIdleTimeout
	if spec.IdleTimeout == nil || most == nil || spec.IdleTimeout.Duration <= most.Duration {
		return ""
	}
	return fmt.Sprintf("spec.idleTimeout: %s exceeds the class's maxIdleTimeout of %s", v1alpha1.FormatDuration(spec.IdleTimeout.Duration), v1alpha1.FormatDuration(most.Duration))
}

// clockSkew is how far the clock of who asks may be ahead of the API server's.
const clockSkew = time.Minute

// checkArmed holds how long a session waits for its trigger against the class: what was approved is not there to be used for ever.
func checkArmed(class *v1alpha1.DebugClass, session *v1alpha1.DebugSession) string {
	until, most := session.Spec.NotAfter, class.Spec.MaxArmedFor
	if session.Spec.Target.When == nil || until == nil || most == nil {
		return ""
	}
	last := session.CreationTimestamp.Add(most.Duration)
	if !until.After(last.Add(clockSkew)) {
		return ""
	}
	return fmt.Sprintf("spec.notAfter: %s is more than %s after the session's creation, the longest that one may be armed (maxArmedFor); choose %s at the latest",
		plaintext.Clock(until.Time), v1alpha1.FormatDuration(most.Duration), plaintext.Clock(last))
}

func checkReason(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	policy := class.Spec.Reason
	switch {
	case policy == nil:
		return ""
	case spec.Reason == "" && policy.Required:
		return "spec.reason: say why the session is needed" + wanted(policy.Pattern)
	case spec.Reason == "" || policy.Pattern == "":
		return ""
	}
	pattern, err := regexp.Compile(policy.Pattern)
	if err != nil {
		return fmt.Sprintf("its reason.pattern is not a valid regular expression: %v; ask an administrator to fix it", err)
	}
	if !pattern.MatchString(spec.Reason) {
		return fmt.Sprintf("spec.reason: %q does not match%s", spec.Reason, wanted(policy.Pattern))
	}
	return ""
}

// checkEmergency holds what asks to start before its approval against the class. A session that needs no approval needs no emergency.
func checkEmergency(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	policy := class.Spec.Approval
	switch {
	case !spec.Emergency || policy == nil || policy.Required == 0 || exempt(policy.Exempt, spec.Requester):
		return ""
	case policy.Emergency == nil:
		return "spec.emergency: sessions may not start before approval, even in an emergency; apply the session without it, and wait for approval"
	case strings.TrimSpace(spec.Reason) == "":
		return "spec.reason: required for an emergency, for its reviewers"
	}
	return ""
}

func wanted(pattern string) string {
	if pattern == "" {
		return ""
	}
	return fmt.Sprintf("; it must match %q", pattern)
}

func checkSubjects(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	if spec.Access == nil {
		return ""
	}
	for i, subject := range spec.Access.Subjects {
		if spec.Requester != nil && subject == user(spec.Requester) {
			continue
		}
		if class.Spec.Access == nil || !slices.Contains(class.Spec.Access.Subjects, subject) {
			return fmt.Sprintf("spec.access.subjects[%d]: %s %q may not be granted access; remove spec.access, or ask an administrator to list it in the class's access.subjects", i, subject.Kind, subject.Name)
		}
	}
	return ""
}

// AccessSubjects is who gets access: the requester, unless the session names others.
func AccessSubjects(spec *v1alpha1.DebugSessionSpec) []v1alpha1.Subject {
	if spec.Access != nil {
		return spec.Access.Subjects
	}
	return []v1alpha1.Subject{user(spec.Requester)}
}

// CheckVerb says why a session has no access by that verb to its debugger; empty if it has.
func CheckVerb(granted *v1alpha1.ClassStatus, verb v1alpha1.AccessVerb) string {
	if slices.Contains(granted.AccessVerbs, verb) {
		return ""
	}
	return fmt.Sprintf("class %q does not grant %s access to it: its access.verbs are %s", granted.Name, verb, list(granted.AccessVerbs))
}

func user(identity *v1alpha1.Identity) v1alpha1.Subject {
	return v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: identity.Username}
}

// exempt reports whether somebody is one of the subjects.
func exempt(subjects []v1alpha1.Subject, who *v1alpha1.Identity) bool {
	return who != nil && slices.ContainsFunc(subjects, func(s v1alpha1.Subject) bool {
		switch s.Kind {
		case v1alpha1.SubjectUser:
			return s.Name == who.Username
		case v1alpha1.SubjectGroup:
			return slices.Contains(who.Groups, s.Name)
		case v1alpha1.SubjectServiceAccount:
			return who.Username == "system:serviceaccount:"+s.Namespace+":"+s.Name
		}
		return false
	})
}

func list[T ~string](items []T) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = string(item)
	}
	return strings.Join(words, ", ")
}

// by says which class it is that forbids something.
func by(class, why string) string { return fmt.Sprintf("class %q: %s", class, why) }
