package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// measureBurst alternates between bursts that the operator serves and bursts of a client that makes the same writes without
// looking at anything: what the API server could do on this machine.
func measureBurst(ctx context.Context, b *bench) error {
	script, err := record(ctx, b)
	if err != nil {
		return fmt.Errorf("recording a session's writes: %w", err)
	}
	result := &burst{Sessions: b.flags.burst, Workers: workers, WritesPerSession: script.describe()}
	raw := &rawClient{Workers: workers}
	for round := range b.flags.rounds {
		b.say(fmt.Sprintf("measuring burst: round %d of %d", round+1, b.flags.rounds))
		rate, err := rawRound(ctx, b, script, fmt.Sprintf("rawround%d", round))
		if err != nil {
			return err
		}
		raw.Rounds = append(raw.Rounds, rate)
		if rate, err = operatorRound(ctx, b, fmt.Sprintf("oprround%d", round)); err != nil {
			return err
		}
		result.Rounds = append(result.Rounds, rate)
		result.Ratios = append(result.Ratios, rate/raw.Rounds[round])
	}
	result.Median, raw.Median, result.RatioToRaw = median(result.Rounds), median(raw.Rounds), median(result.Ratios)
	b.result.Burst, b.result.Raw = result, raw
	return nil
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// operatorRound is timed from before the first session's creation is sent until a watch has brought the last that is active:
// its debugger was accepted, seen running, and access to it was given.
func operatorRound(ctx context.Context, b *bench, namespace string) (float64, error) {
	if err := b.operator.lead(ctx); err != nil {
		return 0, err
	}
	if err := makeNamespace(ctx, b.cluster.client, namespace, nil); err != nil {
		return 0, err
	}
	n := b.flags.burst
	if _, err := makePods(ctx, b.cluster.client, namespace, n); err != nil {
		return 0, err
	}
	sessions, err := followSessions(ctx, b.cluster, namespace)
	if err != nil {
		return 0, err
	}
	defer sessions.stop()
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := inParallel(ctx, n, func(ctx context.Context, i int) error {
		return requester.Create(ctx, newSession(namespace, sessionName(i), fmt.Sprintf("pod-%05d", i)))
	}); err != nil {
		return 0, err
	}
	last := began
	for i := range n {
		at, err := sessions.await(ctx, stands{sessionName(i), v1alpha1.PhaseActive})
		if err != nil {
			return 0, err
		}
		if at.After(last) {
			last = at
		}
	}
	if err := b.operator.stop(); err != nil {
		return 0, err
	}
	return float64(n) / last.Sub(began).Seconds(), wipe(ctx, b, namespace)
}

// rawRound is timed from before the first request until the last answer.
func rawRound(ctx context.Context, b *bench, script *script, namespace string) (float64, error) {
	if err := b.operator.standBy(ctx); err != nil {
		return 0, err
	}
	if err := makeNamespace(ctx, b.cluster.client, namespace, nil); err != nil {
		return 0, err
	}
	n := b.flags.burst
	pods, err := makePods(ctx, b.cluster.client, namespace, n)
	if err != nil {
		return 0, err
	}
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return 0, err
	}
	sender, err := newSender(b.cluster)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := inParallel(ctx, n, func(ctx context.Context, i int) error {
		session := newSession(namespace, sessionName(i), pods[i].Name)
		if err := requester.Create(ctx, session); err != nil {
			return err
		}
		return script.play(ctx, sender, session, pods[i])
	}); err != nil {
		return 0, err
	}
	rate := float64(n) / time.Since(began).Seconds()
	if err := isActive(ctx, b.cluster.client, namespace, n); err != nil {
		return 0, err
	}
	return rate, wipe(ctx, b, namespace)
}

// isActive makes sure that the raw client has done all that the operator does.
func isActive(ctx context.Context, c client.Client, namespace string, n int) error {
	sessions := &v1alpha1.DebugSessionList{}
	pods := &corev1.PodList{}
	for _, list := range []client.ObjectList{sessions, pods} {
		if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return err
		}
	}
	active, debugged := 0, 0
	for i := range sessions.Items {
		if sessions.Items[i].Status.Phase == v1alpha1.PhaseActive {
			active++
		}
	}
	for i := range pods.Items {
		debugged += len(pods.Items[i].Spec.EphemeralContainers)
	}
	if active != n || debugged != n {
		return fmt.Errorf("the raw client made %d of %d sessions active, and %d debuggers", active, n, debugged)
	}
	return nil
}
