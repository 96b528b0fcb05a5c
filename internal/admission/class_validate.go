package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/policy"
)

// validateClass refuses what would make a class useless, or mean something else than it seems to. Everything that is wrong
// is said at once.
func (s *Server) validateClass(ctx context.Context, req admission.Request) admission.Response {
	class, _, err := decode[v1alpha1.DebugClass](&req)
	if err != nil {
		return invalid("cannot decode the class: %v", err)
	}
	if wrong := policy.Validate(&class.Spec); len(wrong) > 0 {
		return invalid("%s", strings.Join(wrong, "; "))
	}
	return admission.Allowed("").WithWarnings(slices.Concat(everybody(&class.Spec), s.storeWarnings(&class.Spec), s.defaultWarnings(ctx, &class), s.namespaceWarnings(ctx, &class))...)
}

// storeWarnings tells of sessions that would wait for want of a store.
func (s *Server) storeWarnings(spec *v1alpha1.DebugClassSpec) []string {
	if why, _ := policy.WithoutStore(spec); why != "" && !s.AuditStore {
		return []string{why}
	}
	return nil
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
				warnings = append(warnings, fmt.Sprintf("%s[%d]: group %s includes everyone, or every service account; name the intended subjects", field, i, subject.Name))
			}
		}
	}
	return warnings
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
			warnings = append(warnings, fmt.Sprintf("DebugClass %q is also marked as the default: sessions without spec.className use the newest default", other.Name))
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
	if policy.Reaches(class, system, set) && !policy.NamesNamespace(class, system) {
		warnings = append(warnings, fmt.Sprintf("spec.namespaceSelector: the class selects namespace %s, where a debugger may reach the whole cluster; "+
			"exclude it (matchExpressions: [{key: %s, operator: NotIn, values: [%s]}]), or name it explicitly", system, corev1.LabelMetadataName, system))
	}
	if class.Spec.NodeNamespace == s.Namespace && s.Namespace != "" && !policy.NamesNamespace(class, s.Namespace) {
		warnings = append(warnings, fmt.Sprintf("spec.nodeNamespace: %s is the operator's own namespace, where the class allows no session "+
			"unless spec.namespaceSelector names it by label %s", s.Namespace, corev1.LabelMetadataName))
	}
	return warnings
}
