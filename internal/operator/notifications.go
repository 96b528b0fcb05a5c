package operator

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/notify"
	"debugsession.dev/operator/internal/recorder"
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
	if err := notifier.SetupWithManager(mgr, options.Tracing); err != nil {
		return nil, fmt.Errorf("adding the notifier: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	if err := notifier.Await(ctx, mgr.GetAPIReader()); err != nil {
		return nil, err
	}
	return notifier, nil
}

// tellRefusals has what admission refuses recorded, and the sinks told of it.
func tellRefusals(notifier *notify.Notifier, refusals *recorder.Refusals, clock clock.PassiveClock) func(*admission.Request, string) {
	return func(req *admission.Request, message string) {
		attempt := audit.AttemptOf(clock.Now(), req.Kind.Kind, string(req.Operation), req.Name, req.Object.Raw, message)
		refusals.Refused(req.Namespace, audit.UserFrom(&req.UserInfo), attempt)
		notifier.Refused(notify.Refusal{
			User: req.UserInfo.Username, Kind: attempt.Kind, Operation: attempt.Operation,
			Namespace: req.Namespace, Name: req.Name, Class: attempt.Class, Message: message,
		})
	}
}
