package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	restartNamespace = "restarted"
	overdueNamespace = "overdue"

	// overdueShare is how many times as many sessions are active as expire while no operator runs.
	overdueShare = 20

	// restartWithin is by when a leader that has started is meant to watch all pods and to have ended what had expired, in milliseconds.
	restartWithin = 5000
)

// restarted is of a process that starts with many sessions active, and some that expired while none ran. Times are in milliseconds, from its start.
type restarted struct {
	Active   int       `json:"active_sessions"`
	Ready    float64   `json:"ready_ms"`
	Leading  float64   `json:"leading_ms"`
	Watching float64   `json:"watching_ms"`
	Overdue  quantiles `json:"expired_to_ended_ms"`

	// Requests are those of all that, InASecond of the second with the most, and Refused those that the API server turned away.
	Requests  int    `json:"requests"`
	InASecond int    `json:"requests_in_a_second"`
	Refused   int    `json:"refused_requests"`
	Settled   *tally `json:"settled"`

	footprint
	Peak    int64    `json:"peak_rss"`
	Charged *charged `json:"charged,omitempty"`
}

// measureRestart starts the operator anew beside sessions that are active and some that have expired meanwhile.
func measureRestart(ctx context.Context, b *bench) error {
	limit, err := b.flags.limitInBytes()
	if err != nil {
		return err
	}
	b.operator.limit = limit
	defer func() { b.operator.limit = 0 }() // for what is started after this
	if err := b.operator.restart(ctx); err != nil {
		return err
	}
	overdue, expires, err := makeOverdue(ctx, b)
	if err != nil {
		return err
	}
	defer overdue.stop()
	if err := b.operator.stop(); err != nil {
		return err
	}
	if err := rest(ctx, time.Until(expires.Add(time.Second))); err != nil {
		return err
	}
	b.say("measuring restart: starting the operator")
	result := &restarted{Active: b.flags.active}
	if err := result.measure(ctx, b, overdue); err != nil {
		return err
	}
	b.result.Restart = result
	return nil
}

// makeOverdue starts the active sessions, and then those that expire next, and returns when that is.
func makeOverdue(ctx context.Context, b *bench) (overdue *follower[stands], expires time.Time, err error) {
	for _, namespace := range []string{restartNamespace, overdueNamespace} {
		if err := makeNamespace(ctx, b.cluster.client, namespace, nil); err != nil {
			return nil, expires, err
		}
	}
	b.say(fmt.Sprintf("measuring restart: starting %d sessions", b.flags.active))
	if err := makeActive(ctx, b, restartNamespace, b.flags.active); err != nil {
		return nil, expires, err
	}
	n := b.overdue()
	if _, err := makePods(ctx, b.cluster.client, overdueNamespace, n); err != nil {
		return nil, expires, err
	}
	if overdue, err = followSessions(ctx, b.cluster, overdueNamespace); err != nil {
		return nil, expires, err
	}
	expires = expiryOf(n)
	if err := activateUntil(ctx, b, overdueNamespace, overdue, n, expires); err != nil {
		overdue.stop()
		return nil, expires, err
	}
	return overdue, expires, nil
}

// overdue is how many sessions expire while no operator runs.
func (b *bench) overdue() int { return max(b.flags.active/overdueShare, 1) }

// measure starts the operator, and waits until all is as it is to be.
func (r *restarted) measure(ctx context.Context, b *bench, overdue *follower[stands]) error {
	mark, err := b.cluster.audit.mark()
	if err != nil {
		return err
	}
	began := time.Now()
	since := func() float64 { return milliseconds(time.Since(began)) }
	if err := b.operator.start(ctx); err != nil {
		return err
	}
	r.Ready = since()
	if err := b.operator.awaitLeading(ctx); err != nil {
		return err
	}
	r.Leading = since()
	if err := await(ctx, "all pods to be watched", takingIn, func() (bool, error) {
		text, err := fetch(ctx, "http://"+b.operator.metrics+"/metrics")
		if err != nil {
			return false, err
		}
		watched, err := field(text, "debugsession_pod_watches")
		return int(watched) >= b.flags.active, err
	}); err != nil {
		return err
	}
	r.Watching = since()
	took, err := lateOf(ctx, overdue, b.overdue(), v1alpha1.PhaseEnded, began)
	if err != nil {
		return err
	}
	r.Overdue = quantilesOf(took)
	if _, err := lateOf(ctx, overdue, b.overdue(), letGo, began); err != nil {
		return err
	}
	if err := rest(ctx, lateness); err != nil { // for the events
		return err
	}
	if err := r.count(b, mark, began); err != nil {
		return err
	}
	if mark, err = b.cluster.audit.mark(); err != nil {
		return err
	}
	if err := rest(ctx, quiet); err != nil {
		return err
	}
	if r.Settled, err = count(b, mark, 1); err != nil {
		return err
	}
	if r.RSS, r.Heap, err = b.operator.memory(ctx); err != nil {
		return err
	}
	if r.Peak, err = b.operator.peak(); err != nil {
		return err
	}
	if b.operator.cgroup != nil {
		r.Charged, err = b.operator.cgroup.charged()
	}
	return err
}

// count counts what the operator asked since it was started.
func (r *restarted) count(b *bench, mark int64, from time.Time) error {
	requests, err := b.operatorAsked(mark, from)
	if err != nil {
		return err
	}
	in := map[int64]int{}
	for i := range requests {
		r.Requests++
		second := requests[i].RequestReceivedTimestamp.Unix()
		in[second]++
		r.InASecond = max(r.InASecond, in[second])
		if requests[i].ResponseStatus.Code == http.StatusTooManyRequests {
			r.Refused++
		}
	}
	return nil
}
