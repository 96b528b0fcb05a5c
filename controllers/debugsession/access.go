package debugsession

import (
	"context"
	"errors"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// fieldOwner is who the API server is told that the operator is, for what it applies.
const fieldOwner = client.FieldOwner("debugsession-operator")

// rights is what each access verb takes. kubectl reads a pod before it attaches to it, so that right comes with all.
var rights = map[v1alpha1.AccessVerb]struct {
	resource string
	verbs    []string
}{
	v1alpha1.AccessAttach:      {"pods/attach", []string{"create", "get"}},
	v1alpha1.AccessExec:        {"pods/exec", []string{"create", "get"}},
	v1alpha1.AccessLogs:        {"pods/log", []string{"get"}},
	v1alpha1.AccessPortForward: {"pods/portforward", []string{"create", "get"}},
}

// grantAccess makes the Role and the RoleBinding, or puts them right: they are applied, so that a second time is harmless.
func (r *Reconciler) grantAccess(ctx context.Context, session *v1alpha1.DebugSession, a plan.GrantAccess) error {
	r.states.setAccess(session, plan.AccessUnsure)
	rules := []*rbacv1ac.PolicyRuleApplyConfiguration{onPod(a.Pod, "pods", "get")}
	for _, verb := range a.Verbs {
		rules = append(rules, onPod(a.Pod, rights[verb].resource, rights[verb].verbs...))
	}
	role := rbacv1ac.Role(a.Name, session.Namespace).
		WithLabels(sessionLabels(session)).WithOwnerReferences(ownedBy(session)).WithRules(rules...)
	if err := r.Client.Apply(ctx, role, fieldOwner, client.ForceOwnership); err != nil {
		return err
	}
	binding := rbacv1ac.RoleBinding(a.Name, session.Namespace).
		WithLabels(sessionLabels(session)).WithOwnerReferences(ownedBy(session)).
		WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("Role").WithName(a.Name))
	for _, subject := range a.Subjects {
		binding.WithSubjects(bound(subject))
	}
	if err := r.Client.Apply(ctx, binding, fieldOwner, client.ForceOwnership); err != nil {
		return err
	}
	r.states.setAccess(session, plan.AccessGranted)
	return nil
}

// revokeAccess removes the binding, with which the access ends, and then the role. Both have a name that no other session
// can have.
func (r *Reconciler) revokeAccess(ctx context.Context, session *v1alpha1.DebugSession, a plan.RevokeAccess) error {
	name := types.NamespacedName{Namespace: session.Namespace, Name: a.Name}
	err := errors.Join(r.revokeBinding(ctx, name), r.deleteGrant(ctx, "roles", name))
	if err == nil {
		r.states.setAccess(session, plan.AccessRevoked)
	}
	return err
}

// revokeBinding takes the subjects from a binding that somebody's finalizer holds: it would go on giving them access.
func (r *Reconciler) revokeBinding(ctx context.Context, name types.NamespacedName) error {
	err := r.deleteGrant(ctx, "rolebindings", name)
	var held *heldError
	if !errors.As(err, &held) {
		return err
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	nobody := client.RawPatch(types.MergePatchType, []byte(`{"subjects":null}`))
	return errors.Join(err, client.IgnoreNotFound(r.Client.Patch(ctx, binding, nobody)))
}

func (r *Reconciler) deleteGrant(ctx context.Context, resource string, name types.NamespacedName) error {
	heldBy, err := r.Grants.Delete(ctx, resource, name)
	if err == nil && len(heldBy) > 0 {
		return &heldError{resource, name.Name, heldBy}
	}
	return err
}

// heldError is that an object was deleted and stays.
type heldError struct {
	resource, name string
	finalizers     []string
}

func (e *heldError) Error() string {
	return fmt.Sprintf("%s %q is held by finalizers set by others: %s; it no longer grants anything", e.resource, e.name, strings.Join(e.finalizers, ", "))
}

func onPod(pod, resource string, verbs ...string) *rbacv1ac.PolicyRuleApplyConfiguration {
	return rbacv1ac.PolicyRule().WithAPIGroups("").WithResources(resource).WithResourceNames(pod).WithVerbs(verbs...)
}

func bound(subject v1alpha1.Subject) *rbacv1ac.SubjectApplyConfiguration {
	ac := rbacv1ac.Subject().WithKind(subject.Kind).WithName(subject.Name)
	if subject.Kind == v1alpha1.SubjectServiceAccount {
		return ac.WithNamespace(subject.Namespace)
	}
	return ac.WithAPIGroup(rbacv1.GroupName)
}

func sessionLabels(session *v1alpha1.DebugSession) map[string]string {
	return map[string]string{v1alpha1.LabelSessionUID: string(session.UID)}
}

func ownedBy(session *v1alpha1.DebugSession) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("DebugSession").
		WithName(session.Name).WithUID(session.UID).WithController(true)
}
