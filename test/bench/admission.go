package main

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reviewed is how many creations are timed with the webhooks, and as many without.
const reviewed = 500

// measureAdmission times dry runs of the same creation in two namespaces, in turns: one of them the webhooks are not called
// for. All that the API server does twice for the webhooks is in the difference: connections, encoding, and the questions
// that the operator asks back.
func measureAdmission(ctx context.Context, b *bench) error {
	if b.cluster.installed.webhookPort == 0 {
		return nil
	}
	const with, without = "admitted", "unadmitted"
	if err := makeNamespace(ctx, b.cluster.client, with, nil); err != nil {
		return err
	}
	if err := makeNamespace(ctx, b.cluster.client, without, map[string]string{labelUnadmitted: "true"}); err != nil {
		return err
	}
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return err
	}
	took := map[string][]time.Duration{}
	const warmup = 20
	for i := range warmup + reviewed {
		for _, namespace := range []string{with, without} {
			session := newSession(namespace, sessionName(i), "pod")
			began := time.Now()
			if err := requester.Create(ctx, session, client.DryRunAll); err != nil {
				return err
			}
			if i >= warmup {
				took[namespace] = append(took[namespace], time.Since(began))
			}
		}
	}
	baseline := quantilesOf(took[without])
	whole := quantilesOf(took[with])
	b.result.Admission = &admission{
		// What the API server itself takes longer for now and then counts against the webhooks.
		quantiles: quantiles{P50: whole.P50 - baseline.P50, P99: whole.P99 - baseline.P50, N: whole.N},
		With:      whole, Without: baseline,
	}
	return nil
}
