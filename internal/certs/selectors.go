package certs

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Selective names the namespaceSelectors of the webhooks, for whoever wonders why nothing starts in some namespaces; empty
// if there are none. Clouds add such selectors to what they find, so they do not make the operator unready.
func (r *Rotator) Selective(ctx context.Context) (string, error) {
	found := ""
	err := r.each(ctx, func(kind string, want *Hook, installed []hook) error {
		if selector := namespaceSelector(want, installed); found == "" && selective(selector) {
			found = fmt.Sprintf("%s %q: webhook %q has the namespaceSelector %s", kind, ConfigurationName, want.Name, metav1.FormatLabelSelector(selector))
		}
		return nil
	})
	return found, err
}

// LeavesOut says why the webhooks are not called for what is created in a namespace; empty if they are. It costs no request.
func (r *Rotator) LeavesOut(ctx context.Context, namespace string) (string, error) {
	var set labels.Set // read if it matters
	found := ""
	err := r.each(ctx, func(kind string, want *Hook, installed []hook) error {
		selector := namespaceSelector(want, installed)
		if found != "" || !selective(selector) {
			return nil
		}
		parsed, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return fmt.Errorf("%s %q: the namespaceSelector of webhook %q: %w", kind, ConfigurationName, want.Name, err)
		}
		if set == nil {
			if set, err = r.namespaceLabels(ctx, namespace); err != nil {
				return fmt.Errorf("reading the labels of namespace %q: %w", namespace, err)
			}
		}
		if !parsed.Matches(set) {
			found = fmt.Sprintf("%s %q excludes namespace %q by its namespaceSelector (%s)", kind, ConfigurationName, namespace, metav1.FormatLabelSelector(selector))
		}
		return nil
	})
	return found, err
}

// namespaceSelector is nil for what is in no namespace: the API server always calls its webhook.
func namespaceSelector(want *Hook, installed []hook) *metav1.LabelSelector {
	if want.Resource == "debugclasses" {
		return nil
	}
	if i := slices.IndexFunc(installed, func(h hook) bool { return h.name == want.Name }); i >= 0 {
		return installed[i].namespaces
	}
	return nil
}

func (r *Rotator) namespaceLabels(ctx context.Context, name string) (labels.Set, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, namespace)
	return labels.Set(namespace.Labels), err
}
