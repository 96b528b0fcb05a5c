package admission

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/imagepattern"
	"debugsession.dev/operator/internal/plan"
)

// validateClass refuses what would make a class useless, or mean something else than it seems to. Everything that is wrong
// is said at once.
func (s *Server) validateClass(ctx context.Context, req admission.Request) admission.Response {
	class, _, err := decode[v1alpha1.DebugClass](&req)
	if err != nil {
		return invalid("the class cannot be read: %v", err)
	}
	if wrong := checkClassSpec(&class.Spec); len(wrong) > 0 {
		return invalid("%s", strings.Join(wrong, "; "))
	}
	return admission.Allowed("").WithWarnings(slices.Concat(everybody(&class.Spec), s.defaultWarnings(ctx, &class), s.namespaceWarnings(ctx, &class))...)
}

func checkClassSpec(spec *v1alpha1.DebugClassSpec) []string {
	wrong := checkImages(spec)
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if spec.Resources != nil {
		wrong = append(wrong, checkBounds("spec.resources.debugger", spec.Resources.Debugger)...)
		wrong = append(wrong, checkBounds("spec.resources.pod", spec.Resources.Pod)...)
	}
	if spec.Reason != nil {
		if _, err := regexp.Compile(spec.Reason.Pattern); err != nil {
			complain("spec.reason.pattern: %v; the syntax is RE2's", err)
		}
	}
	if _, err := metav1.LabelSelectorAsSelector(spec.NamespaceSelector); err != nil {
		complain("spec.namespaceSelector: %v", err)
	}
	if _, err := metav1.LabelSelectorAsSelector(spec.PodSelector); err != nil {
		complain("spec.podSelector: %v", err)
	}
	return wrong
}

// checkImages refuses patterns that are none, and a default image that they do not allow.
func checkImages(spec *v1alpha1.DebugClassSpec) []string {
	var wrong []string
	for i, pattern := range spec.Images {
		if _, err := imagepattern.Parse(pattern); err != nil {
			wrong = append(wrong, fmt.Sprintf("spec.images[%d]: %v", i, err))
		}
	}
	image := defaultImage(spec)
	if image == "" || len(wrong) > 0 {
		return wrong
	}
	if _, err := imagepattern.Normalize(image); err != nil {
		return []string{fmt.Sprintf("spec.defaults.image: %v", err)}
	}
	if allowed, err := imagepattern.MatchAny(spec.Images, image); len(spec.Images) > 0 && (err != nil || !allowed) {
		return []string{fmt.Sprintf("spec.defaults.image: %q is not allowed by spec.images; add it there, or choose another", image)}
	}
	return nil
}

// checkBounds refuses bounds that would bind nothing: of a name that no container claims, or of none of what a container that
// claims none has all the same.
func checkBounds(field string, bounds corev1.ResourceList) []string {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(bounds)) {
		most := bounds[name]
		switch {
		case !claimable(name):
			wrong = append(wrong, fmt.Sprintf("%s: %q is no resource of a container: name cpu, memory, ephemeral-storage, an extended resource such as nvidia.com/gpu, or %s",
				field, name, debugpod.ResourceClaims))
		case most.Sign() < 0, most.Sign() == 0 && debugpod.IsNative(name):
			wrong = append(wrong, fmt.Sprintf("%s: %s of %s is no bound: it must be more than 0", field, most.String(), name))
		}
	}
	return wrong
}

// claimable reports whether a container can claim something of that name. What else a ResourceQuota counts is none of a container's.
func claimable(name corev1.ResourceName) bool {
	counted := strings.HasPrefix(string(name), "count/") && name != debugpod.ResourceClaims
	return debugpod.IsNative(name) || strings.Contains(string(name), "/") && !counted || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// everybody warns of subjects that are whoever has logged in, or has not even done that.
func everybody(spec *v1alpha1.DebugClassSpec) []string {
	lists := map[string][]v1alpha1.Subject{}
	if spec.Access != nil {
		lists["spec.access.subjects"] = spec.Access.Subjects
	}
	if spec.Approval != nil {
		lists["spec.approval.exempt"] = spec.Approval.Exempt
	}
	var warnings []string
	for _, field := range slices.Sorted(maps.Keys(lists)) {
		for i, subject := range lists[field] {
			if subject.Kind == v1alpha1.SubjectGroup && slices.Contains([]string{"system:authenticated", "system:unauthenticated", "system:serviceaccounts"}, subject.Name) {
				warnings = append(warnings, fmt.Sprintf("%s[%d]: the group %s is everybody, or every service account; name those that are meant", field, i, subject.Name))
			}
		}
	}
	return warnings
}

func defaultImage(spec *v1alpha1.DebugClassSpec) string {
	if spec.Defaults == nil {
		return ""
	}
	return spec.Defaults.Image
}

// defaultWarnings tells of a second default class: a way to move from one to the other, and perhaps a mistake.
func (s *Server) defaultWarnings(ctx context.Context, class *v1alpha1.DebugClass) []string {
	if !isDefault(class) {
		return nil
	}
	classes := &v1alpha1.DebugClassList{}
	if err := s.Cached.List(ctx, classes); err != nil {
		return nil // it is only a warning
	}
	var warnings []string
	for i := range classes.Items {
		if other := &classes.Items[i]; other.Name != class.Name && isDefault(other) {
			warnings = append(warnings, fmt.Sprintf("DebugClass %q is marked as the default too: sessions that name none get the newest of them", other.Name))
		}
	}
	return warnings
}

// namespaceWarnings tells of namespaces that are worth the whole cluster: one that the class reaches though nobody wrote so, and
// one that it does not reach though somebody did.
func (s *Server) namespaceWarnings(ctx context.Context, class *v1alpha1.DebugClass) []string {
	var warnings []string
	system := metav1.NamespaceSystem
	set, err := s.namespaceLabels(ctx, system)
	if err != nil { // it is only a warning
		set = labels.Set{corev1.LabelMetadataName: system}
	}
	if plan.Reaches(class, system, set) && !plan.Names(class, system) {
		warnings = append(warnings, fmt.Sprintf("spec.namespaceSelector: the class reaches namespace %s, and who debugs there may reach the whole cluster; "+
			"leave it out (matchExpressions: [{key: %s, operator: NotIn, values: [%s]}]), or name it", system, corev1.LabelMetadataName, system))
	}
	if class.Spec.NodeNamespace == s.Namespace && s.Namespace != "" && !plan.Names(class, s.Namespace) {
		warnings = append(warnings, fmt.Sprintf("spec.nodeNamespace: %s is the operator's own namespace, where no session of the class may be "+
			"unless spec.namespaceSelector names it by its label %s", s.Namespace, corev1.LabelMetadataName))
	}
	return warnings
}
