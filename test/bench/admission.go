package main

import (
	"context"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// reviewed is how many creations are timed with the webhooks, and as many without: so few that the operator looks ahead for each.
const reviewed = 250

// measureAdmission times the same creation in two namespaces, in turns: one of them the webhooks are not called for. All that the API server does
// twice for the webhooks is in the difference: connections, encoding, and the questions that the operator asks back. What the operator does
// with the sessions is not: it acts on nothing meanwhile.
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
	if err := makePod(ctx, b.cluster.client, newPod(with, "pod")); err != nil {
		return err
	}
	if err := b.operator.standBy(ctx); err != nil {
		return err
	}
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return err
	}
	stamp, err := whoAsks(ctx, requester)
	if err != nil {
		return err
	}
	took := map[string][]time.Duration{}
	const warmup = 20
	for i := range warmup + reviewed {
		for _, namespace := range []string{with, without} {
			session := newSession(namespace, sessionName(i), "pod")
			if namespace == without {
				session.Spec.Requester = stamp // or the policy beside the webhooks refuses it
			}
			began := time.Now()
			if err := requester.Create(ctx, session); err != nil {
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
	if err := b.measureWarnings(ctx, with, requester, stamp); err != nil {
		return err
	}
	for _, namespace := range []string{with, without} {
		if err := wipe(ctx, b, namespace); err != nil {
			return err
		}
	}
	return b.operator.lead(ctx)
}

// whoAsks is what the operator's webhooks would stamp.
func whoAsks(ctx context.Context, requester client.Client) (*v1alpha1.Identity, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := requester.Create(ctx, review); err != nil {
		return nil, err
	}
	user := &review.Status.UserInfo
	identity := &v1alpha1.Identity{Username: user.Username, UID: user.UID, Groups: user.Groups}
	for key, values := range user.Extra {
		if identity.Extra == nil {
			identity.Extra = map[string]v1alpha1.ExtraValue{}
		}
		identity.Extra[key] = v1alpha1.ExtraValue(values)
	}
	return identity, nil
}
