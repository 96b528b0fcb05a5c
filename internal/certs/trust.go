package certs

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// Hook is a webhook that has to be in place for new sessions and approvals to be worth anything.
type Hook struct {
	Mutating   bool
	Name       string
	Resource   string
	Operations []admissionregistrationv1.OperationType
}

// hook is what the two kinds of configurations have in common.
type hook struct {
	name          string
	failurePolicy *admissionregistrationv1.FailurePolicyType
	caBundle      []byte
	rules         []admissionregistrationv1.RuleWithOperations
}

// Trusted says in a sentence why what is created now is not stamped and checked by the operator's admission, or nil. It
// costs no request.
func (k *Keeper) Trusted(ctx context.Context) error {
	serving := k.serving.Load()
	if serving == nil {
		return errNone
	}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := k.read(ctx, mutating, "MutatingWebhookConfiguration"); err != nil {
		return err
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := k.read(ctx, validating, "ValidatingWebhookConfiguration"); err != nil {
		return err
	}
	for _, want := range k.Hooks {
		kind, installed := "ValidatingWebhookConfiguration", validatingHooks(validating)
		if want.Mutating {
			kind, installed = "MutatingWebhookConfiguration", mutatingHooks(mutating)
		}
		if why := missing(&want, installed, serving.ca); why != "" {
			return fmt.Errorf("%s %q: webhook %q %s; apply the operator's manifests again", kind, ConfigurationName, want.Name, why)
		}
	}
	return nil
}

func mutatingHooks(configuration *admissionregistrationv1.MutatingWebhookConfiguration) []hook {
	hooks := make([]hook, 0, len(configuration.Webhooks))
	for i := range configuration.Webhooks {
		w := &configuration.Webhooks[i]
		hooks = append(hooks, hook{w.Name, w.FailurePolicy, w.ClientConfig.CABundle, w.Rules})
	}
	return hooks
}

func validatingHooks(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) []hook {
	hooks := make([]hook, 0, len(configuration.Webhooks))
	for i := range configuration.Webhooks {
		w := &configuration.Webhooks[i]
		hooks = append(hooks, hook{w.Name, w.FailurePolicy, w.ClientConfig.CABundle, w.Rules})
	}
	return hooks
}

func (k *Keeper) read(ctx context.Context, configuration client.Object, kind string) error {
	err := k.Client.Get(ctx, client.ObjectKey{Name: ConfigurationName}, configuration)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s %q is not there, so nobody says who creates a session; apply the operator's manifests again", kind, ConfigurationName)
	}
	return err
}

// missing says what is wrong with how a webhook is installed. Selectors are not looked at: some clusters add their own to
// keep webhooks out of system namespaces, and what is created there has no seal.
func missing(want *Hook, installed []hook, ca []byte) string {
	i := slices.IndexFunc(installed, func(h hook) bool { return h.name == want.Name })
	switch {
	case i < 0:
		return "is not there"
	case installed[i].failurePolicy == nil || *installed[i].failurePolicy != admissionregistrationv1.Fail:
		return "does not have failurePolicy Fail, so the API server would go on without it"
	case !slices.ContainsFunc(installed[i].rules, want.covered):
		return fmt.Sprintf("has no rule for %v of %s", want.Operations, want.Resource)
	case !bytes.Equal(installed[i].caBundle, ca):
		return "does not trust the operator's certificate yet"
	}
	return ""
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
		has(rule.Resources, h.Resource)
}
