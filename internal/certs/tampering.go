package certs

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// noting tells of a configuration that was as it has to be and is not any more. It lets every event by.
func (r *Rotator) noting() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { r.note(e.Object, r.fault(e.Object)); return true },
		UpdateFunc: func(e event.UpdateEvent) bool { r.note(e.ObjectNew, r.fault(e.ObjectNew)); return true },
		DeleteFunc: func(e event.DeleteEvent) bool { r.note(e.Object, "it was deleted"); return true },
	}
}

func (r *Rotator) note(configuration client.Object, fault string) {
	kind, _ := hooksOf(configuration)
	r.Tampering.Saw(kind, ConfigurationName, fault)
}

// fault is what is wrong with a configuration, but for the CA that it trusts: that the operator itself changes, and writes anew.
func (r *Rotator) fault(configuration client.Object) string {
	kind, installed := hooksOf(configuration)
	for i := range r.Hooks {
		want := &r.Hooks[i]
		if want.Mutating != (kind == kindMutating) {
			continue
		}
		if why := missing(want, installed); why != "" {
			return fmt.Sprintf("webhook %q %s", want.Name, why)
		}
	}
	return ""
}

func hooksOf(configuration client.Object) (kind string, hooks []hook) {
	switch configuration := configuration.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		return kindMutating, mutatingHooks(configuration)
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		return kindValidating, validatingHooks(configuration)
	}
	return "", nil
}
