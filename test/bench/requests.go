package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	requestsNamespace = "requests"
	// counted is how many sessions of a mode are counted.
	counted = 10
	// quiet is how long nothing may happen. Events are sent, and classes counted, within less.
	quiet = 10 * time.Second
	// lateness is how long after a session's end something may still be told about it.
	lateness = 3 * time.Second
)

// measureRequests counts what the operator asks of the API server for sessions that are created, become active, and are
// ended by spec.end; and then what it asks while nothing happens.
func measureRequests(ctx context.Context, b *bench) error {
	if err := makeNamespace(ctx, b.cluster.client, requestsNamespace, nil); err != nil {
		return err
	}
	result := &requestsPerSession{PerMode: map[v1alpha1.Mode]*tally{}}
	for _, mode := range []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer, v1alpha1.ModePodCopy} {
		counts, err := countSessions(ctx, b, mode)
		if err != nil {
			return err
		}
		result.PerMode[mode] = counts
	}
	b.result.RequestsPerSession = result
	return countQuiet(ctx, b, result)
}

func countSessions(ctx context.Context, b *bench, mode v1alpha1.Mode) (*tally, error) {
	namespace := requestsNamespace
	prefix := map[v1alpha1.Mode]string{v1alpha1.ModeEphemeralContainer: "ephemeral", v1alpha1.ModePodCopy: "copy"}[mode]
	sessions, err := followSessions(ctx, b.cluster, namespace)
	if err != nil {
		return nil, err
	}
	defer sessions.stop()
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return nil, err
	}
	for i := range counted {
		if err := makePod(ctx, b.cluster.client, newPod(namespace, fmt.Sprintf("%s-%d", prefix, i))); err != nil {
			return nil, err
		}
	}
	if err := rest(ctx, lateness); err != nil {
		return nil, err
	}
	mark, err := b.cluster.audit.mark()
	if err != nil {
		return nil, err
	}
	for i := range counted {
		name := fmt.Sprintf("%s-%d", prefix, i)
		session := newSession(namespace, name, name)
		if mode == v1alpha1.ModePodCopy {
			session = asCopy(session)
		}
		if err := passThrough(ctx, requester, sessions, session); err != nil {
			return nil, err
		}
	}
	if err := rest(ctx, lateness); err != nil {
		return nil, err
	}
	return count(b, mark, counted)
}

// passThrough brings a session from its creation to its end.
func passThrough(ctx context.Context, requester client.Client, sessions *follower[stands], session *v1alpha1.DebugSession) error {
	if err := requester.Create(ctx, session); err != nil {
		return err
	}
	if _, err := sessions.await(ctx, stands{session.Name, v1alpha1.PhaseActive}); err != nil {
		return err
	}
	end := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"end":true}}`))
	if err := requester.Patch(ctx, session, end); err != nil {
		return err
	}
	_, err := sessions.await(ctx, stands{session.Name, v1alpha1.PhaseEnded})
	return err
}

// count tallies what the operator asked since the mark, per session. The leader's lease is told apart: it is renewed however
// many sessions there are.
func count(b *bench, mark int64, sessions int) (*tally, error) {
	return countFrom(b, mark, time.Time{}, sessions)
}

// operatorAsked are the operator's requests since the mark, without those before a time: the end of a watch is written down as well.
func (b *bench) operatorAsked(mark int64, from time.Time) ([]request, error) {
	return b.cluster.audit.since(mark, func(r *request) bool {
		return r.byOperator() && !r.RequestReceivedTimestamp.Before(from)
	})
}

// countFrom leaves out what was asked before a time.
func countFrom(b *bench, mark int64, from time.Time, sessions int) (*tally, error) {
	requests, err := b.operatorAsked(mark, from)
	if err != nil {
		return nil, err
	}
	t := &tally{Each: map[string]float64{}}
	for i := range requests {
		if requests[i].ObjectRef.Resource == "leases" {
			t.Leases++
			continue
		}
		t.Each[requests[i].what()] += 1 / float64(sessions)
		t.Total += 1 / float64(sessions)
	}
	return t, nil
}

// countQuiet counts while nothing happens: with the ended sessions of before, and as many that are active.
func countQuiet(ctx context.Context, b *bench, result *requestsPerSession) error {
	const namespace = "quiet"
	if err := makeNamespace(ctx, b.cluster.client, namespace, nil); err != nil {
		return err
	}
	if err := makeActive(ctx, b, namespace, counted); err != nil {
		return err
	}
	if err := rest(ctx, lateness); err != nil {
		return err
	}
	mark, err := b.cluster.audit.mark()
	if err != nil {
		return err
	}
	if err := rest(ctx, quiet); err != nil {
		return err
	}
	result.Settled, err = count(b, mark, 1)
	if err != nil {
		return err
	}
	return endAll(ctx, b, namespace)
}

// makeActive creates so many pods, each with an active session.
func makeActive(ctx context.Context, b *bench, namespace string, n int) error {
	if _, err := makePods(ctx, b.cluster.client, namespace, n); err != nil {
		return err
	}
	return activate(ctx, b, namespace, n)
}

// activate gives so many of the pods that makePods has made an active session each.
func activate(ctx context.Context, b *bench, namespace string, n int) error {
	sessions, err := followSessions(ctx, b.cluster, namespace)
	if err != nil {
		return err
	}
	defer sessions.stop()
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return err
	}
	return inParallel(ctx, n, func(ctx context.Context, i int) error {
		session := newSession(namespace, sessionName(i), fmt.Sprintf("pod-%05d", i))
		if err := requester.Create(ctx, session); err != nil {
			return err
		}
		_, err := sessions.await(ctx, stands{session.Name, v1alpha1.PhaseActive})
		return err
	})
}
