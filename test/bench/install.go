package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/test/manifests"
	"debugsession.dev/operator/test/ports"
)

// labelUnadmitted on a namespace keeps the operator's webhooks out of it: what admission costs is the difference.
const labelUnadmitted = "bench.debugsession.dev/unadmitted"

// webhookService is the Service at which the API server calls the operator.
const webhookService = "debugsession-webhook"

// installation is what the manifests have put in the cluster.
type installation struct {
	// webhookPort is where the API server calls the operator; 0 if the manifests have no webhooks.
	webhookPort int
}

// install applies the manifests as they are, but for what a single machine without a node needs to be otherwise: no
// Deployment, and webhooks that are called on loopback.
func install(ctx context.Context, c client.Client, path string) (installation, error) {
	var installed installation
	objects, err := manifests.Read(path)
	if err != nil {
		return installed, err
	}
	for _, object := range objects {
		switch object.GetKind() {
		case "Deployment", "PodDisruptionBudget":
			continue
		case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
			if err := installed.redirect(object); err != nil {
				return installed, err
			}
		case "Service":
			if object.GetName() != webhookService {
				continue
			}
			if err := installed.answerFor(object); err != nil {
				return installed, err
			}
		}
		if err := create(ctx, c, object); err != nil {
			return installed, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return installed, allowRequester(ctx, c)
}

// create waits for what was created just before: a namespace, a kind.
func create(ctx context.Context, c client.Client, object client.Object) error {
	return await(ctx, "it to be accepted", 20*time.Second, func() (bool, error) {
		err := c.Create(ctx, object)
		return err == nil || apierrors.IsAlreadyExists(err), err
	})
}

// redirect has the API server call the webhooks where the operator listens on this machine, and not for the namespaces that
// are the comparison.
func (i *installation) redirect(configuration *unstructured.Unstructured) error {
	port, err := i.port()
	if err != nil {
		return err
	}
	hooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		hook := hook.(map[string]any)
		hook["namespaceSelector"] = map[string]any{"matchExpressions": []any{
			map[string]any{"key": labelUnadmitted, "operator": "DoesNotExist"},
		}}
		if err := unstructured.SetNestedField(hook, int64(port), "clientConfig", "service", "port"); err != nil {
			return err
		}
	}
	return unstructured.SetNestedSlice(configuration.Object, hooks, "webhooks")
}

// answerFor makes the webhooks' Service another name for this machine: there is nobody to route to an address of a Service.
func (i *installation) answerFor(service *unstructured.Unstructured) error {
	port, err := i.port()
	if err != nil {
		return err
	}
	service.Object["spec"] = map[string]any{
		"type": "ExternalName", "externalName": "localhost",
		"ports": []any{map[string]any{"port": int64(port)}},
	}
	return nil
}

func (i *installation) port() (int, error) {
	var err error
	if i.webhookPort == 0 {
		i.webhookPort, err = ports.Free()
	}
	return i.webhookPort, err
}

// allowRequester gives the requester what someone who debugs has, with and without this operator.
func allowRequester(ctx context.Context, c client.Client) error {
	group := v1alpha1.GroupVersion.Group
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-requester"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{group}, Resources: []string{"debugsessions"}, Verbs: []string{"*"}},
			{APIGroups: []string{group}, Resources: []string{"debugclasses"}, Verbs: []string{"use"}},
			{APIGroups: []string{corev1.GroupName}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{corev1.GroupName}, Resources: []string{"pods/ephemeralcontainers"}, Verbs: []string{"patch", "update"}},
		},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: requesterUser}},
	}
	return errors.Join(c.Create(ctx, role), c.Create(ctx, binding))
}
