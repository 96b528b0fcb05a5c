package certs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// Hook is a webhook that has to be in place for new sessions and approvals to be worth anything.
type Hook struct {
	Mutating   bool
	Name       string
	Path       string
	Resource   string
	Operations []admissionregistrationv1.OperationType
	// Conditions are all that it may have: what another condition leaves out is not known here.
	Conditions []admissionregistrationv1.MatchCondition
}

// Hooks are the webhooks of manifests such as config/webhook has, but for those that the API server may go on without: nobody relies on
// them, so that they may be narrowed or removed.
func Hooks(manifests []byte) ([]Hook, error) {
	var hooks []Hook
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		// The two kinds of configurations do not differ in what is read here.
		configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		if err := documents.Decode(configuration); errors.Is(err, io.EOF) {
			return hooks, nil
		} else if err != nil {
			return nil, err
		}
		found, err := reliedOn(configuration)
		if err != nil {
			return nil, err
		}
		hooks = append(hooks, found...)
	}
}

func reliedOn(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) ([]Hook, error) {
	var hooks []Hook
	for _, h := range validatingHooks(configuration) {
		if h.failurePolicy != nil && *h.failurePolicy == admissionregistrationv1.Ignore {
			continue
		}
		if len(h.rules) != 1 || len(h.rules[0].Resources) != 1 {
			return nil, fmt.Errorf("webhook %q must have one rule for one resource", h.name)
		}
		hooks = append(hooks, Hook{
			Mutating: configuration.Kind == kindMutating, Name: h.name, Path: h.path,
			Resource: h.rules[0].Resources[0], Operations: h.rules[0].Operations, Conditions: h.conditions,
		})
	}
	return hooks, nil
}

const (
	kindMutating   = "MutatingWebhookConfiguration"
	kindValidating = "ValidatingWebhookConfiguration"
)

// hook is what the two kinds of configurations have in common.
type hook struct {
	name          string
	path          string
	failurePolicy *admissionregistrationv1.FailurePolicyType
	caBundle      []byte
	rules         []admissionregistrationv1.RuleWithOperations
	namespaces    *metav1.LabelSelector
	objects       *metav1.LabelSelector
	conditions    []admissionregistrationv1.MatchCondition
}

// Trusted says in a sentence why what is created now is not stamped and checked by the operator's admission, or nil. It
// costs no request. What the webhooks' namespaceSelectors leave out is for LeavesOut to say.
func (r *Rotator) Trusted(ctx context.Context) error {
	serving := r.serving.Load()
	if serving == nil {
		return errNone
	}
	return r.each(ctx, func(kind string, want *Hook, installed []hook) error {
		if why := cmp.Or(missing(want, installed), distrusts(want, installed, serving.ca)); why != "" {
			return fmt.Errorf("%s %q: webhook %q %s; apply the operator's manifests again", kind, ConfigurationName, want.Name, why)
		}
		return nil
	})
}

// each looks at every webhook that has to be in place, beside those that are.
func (r *Rotator) each(ctx context.Context, look func(kind string, want *Hook, installed []hook) error) error {
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := r.read(ctx, mutating, kindMutating); err != nil {
		return err
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := r.read(ctx, validating, kindValidating); err != nil {
		return err
	}
	for i := range r.Hooks {
		kind, installed := kindValidating, validatingHooks(validating)
		if r.Hooks[i].Mutating {
			kind, installed = kindMutating, mutatingHooks(mutating)
		}
		if err := look(kind, &r.Hooks[i], installed); err != nil {
			return err
		}
	}
	return nil
}

func mutatingHooks(configuration *admissionregistrationv1.MutatingWebhookConfiguration) []hook {
	hooks := make([]hook, 0, len(configuration.Webhooks))
	for i := range configuration.Webhooks {
		w := &configuration.Webhooks[i]
		hooks = append(hooks, hook{w.Name, calledAt(&w.ClientConfig), w.FailurePolicy, w.ClientConfig.CABundle, w.Rules, w.NamespaceSelector, w.ObjectSelector, w.MatchConditions})
	}
	return hooks
}

func validatingHooks(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) []hook {
	hooks := make([]hook, 0, len(configuration.Webhooks))
	for i := range configuration.Webhooks {
		w := &configuration.Webhooks[i]
		hooks = append(hooks, hook{w.Name, calledAt(&w.ClientConfig), w.FailurePolicy, w.ClientConfig.CABundle, w.Rules, w.NamespaceSelector, w.ObjectSelector, w.MatchConditions})
	}
	return hooks
}

// calledAt is the path at which a webhook is called. Who answers there the certificate proves.
func calledAt(config *admissionregistrationv1.WebhookClientConfig) string {
	switch {
	case config.Service != nil && config.Service.Path != nil:
		return path.Clean(*config.Service.Path)
	case config.URL != nil:
		if at, err := url.Parse(*config.URL); err == nil {
			return path.Clean(at.Path)
		}
	}
	return ""
}

func (r *Rotator) read(ctx context.Context, configuration client.Object, kind string) error {
	err := r.Client.Get(ctx, client.ObjectKey{Name: ConfigurationName}, configuration)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s %q is missing, so who creates a session is not recorded; apply the operator's manifests again", kind, ConfigurationName)
	}
	return err
}

// missing says what is wrong with how a webhook is installed. Who creates an object chooses its labels, and may change them
// later, and what a condition looks at: what those leave out cannot be told afterwards, so there may be none but ours. Fewer
// conditions only mean more calls.
func missing(want *Hook, installed []hook) string {
	i := slices.IndexFunc(installed, func(h hook) bool { return h.name == want.Name })
	if i < 0 {
		return "is missing"
	}
	h := &installed[i]
	switch {
	case h.failurePolicy == nil || *h.failurePolicy != admissionregistrationv1.Fail:
		return "does not have failurePolicy Fail, so the API server would admit objects without it"
	case !slices.ContainsFunc(h.rules, want.covered):
		return fmt.Sprintf("has no rule for %v of %s", want.Operations, want.Resource)
	case h.path != want.Path:
		return fmt.Sprintf("is called at %q instead of %q", h.path, want.Path)
	case selective(h.objects):
		return fmt.Sprintf("has an objectSelector (%s), with which a user could bypass the operator", metav1.FormatLabelSelector(h.objects))
	}
	for _, condition := range h.conditions {
		if !slices.Contains(want.Conditions, condition) {
			return fmt.Sprintf("has a matchCondition %q that is not the operator's, so some requests may bypass it", condition.Name)
		}
	}
	return ""
}

// distrusts says so if a webhook that is there does not trust the CA.
func distrusts(want *Hook, installed []hook, ca []byte) string {
	if slices.ContainsFunc(installed, func(h hook) bool { return h.name == want.Name && !bytes.Equal(h.caBundle, ca) }) {
		return "does not trust the operator's certificate yet"
	}
	return ""
}

// selective reports whether a selector leaves anything out.
func selective(selector *metav1.LabelSelector) bool {
	return selector != nil && len(selector.MatchLabels)+len(selector.MatchExpressions) > 0
}

func (h *Hook) covered(rule admissionregistrationv1.RuleWithOperations) bool {
	has := func(words []string, word string) bool {
		return slices.Contains(words, word) || slices.Contains(words, "*")
	}
	for _, operation := range h.Operations {
		if !slices.Contains(rule.Operations, operation) && !slices.Contains(rule.Operations, admissionregistrationv1.OperationAll) {
			return false
		}
	}
	return has(rule.APIGroups, v1alpha1.GroupVersion.Group) && has(rule.APIVersions, v1alpha1.GroupVersion.Version) &&
		has(rule.Resources, h.Resource) && (rule.Scope == nil || *rule.Scope == admissionregistrationv1.AllScopes)
}
