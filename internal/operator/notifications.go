package operator

import (
	"encoding/json"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/internal/notify"
)

// addNotifier has the sinks told.
func addNotifier(mgr manager.Manager, options Options, in *admissionInPlace) (*notify.Notifier, error) {
	notifier := &notify.Notifier{
		Client:    mgr.GetClient(),
		Cache:     mgr.GetCache(),
		Live:      mgr.GetAPIReader(),
		Namespace: options.Namespace,
		Events:    mgr.GetEventRecorder("debugsession-operator"),
		Metrics:   notify.NewMetrics(),
		Clock:     options.Clock,
	}
	if err := options.Registry.Register(notifier.Metrics); err != nil {
		return nil, fmt.Errorf("registering the metrics of sinks: %w", err)
	}
	in.webhooks.Tampering.Tampered, in.policy.Tampering.Tampered = notifier.Tampered, notifier.Tampered
	if err := notifier.SetupWithManager(mgr); err != nil {
		return nil, fmt.Errorf("adding what tells sinks: %w", err)
	}
	return notifier, nil
}

// tellRefusals has a notifier told of what admission refuses.
func tellRefusals(notifier *notify.Notifier) func(*admission.Request, string) {
	return func(req *admission.Request, message string) {
		var asked struct {
			Spec struct {
				ClassName string `json:"className"`
			} `json:"spec"`
		}
		_ = json.Unmarshal(req.Object.Raw, &asked) // what cannot be read names no class
		notifier.Refused(notify.Refusal{
			User: req.UserInfo.Username, Kind: req.Kind.Kind, Operation: string(req.Operation),
			Namespace: req.Namespace, Name: req.Name, Class: asked.Spec.ClassName, Message: message,
		})
	}
}
