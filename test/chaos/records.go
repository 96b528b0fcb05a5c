package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// history is what the API server has said of one session.
type history struct {
	latest *v1alpha1.DebugSession
	moves  []move
	ended  time.Time // when it was first seen as Ended
	gone   time.Time // when it was seen to be no more
}

// move is a change of a session's phase, as it was seen.
type move struct {
	at      time.Time
	phase   v1alpha1.Phase
	outcome v1alpha1.Outcome
	message string
}

// records follow every session. Other than a client's cache they are back soon after the API server is.
type records struct {
	client client.WithWatch
	mu     sync.Mutex
	byUID  map[types.UID]*history
}

func newRecords(c client.WithWatch) *records {
	return &records{client: c, byUID: map[types.UID]*history{}}
}

func (r *records) follow(ctx context.Context) {
	for ctx.Err() == nil {
		r.stream(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// stream lists and watches until the API server breaks it off.
func (r *records) stream(ctx context.Context) {
	list := &v1alpha1.DebugSessionList{}
	if err := r.client.List(ctx, list); err != nil {
		return // tried again
	}
	there := map[types.UID]bool{}
	for i := range list.Items {
		there[list.Items[i].UID] = true
		r.see(&list.Items[i])
	}
	r.missing(there)
	stream, err := r.client.Watch(ctx, &v1alpha1.DebugSessionList{}, &client.ListOptions{Raw: listFrom(list.ResourceVersion)})
	if err != nil {
		return
	}
	defer stream.Stop()
	for event := range stream.ResultChan() {
		session, ok := event.Object.(*v1alpha1.DebugSession)
		switch {
		case !ok:
			return
		case event.Type == watch.Deleted:
			r.see(session)
			r.lost(session.UID)
		default:
			r.see(session)
		}
	}
}

func (r *records) see(session *v1alpha1.DebugSession) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.byUID[session.UID]
	if h == nil {
		h = &history{}
		r.byUID[session.UID] = h
	}
	status := &session.Status
	if len(h.moves) == 0 || h.latest.Status.Phase != status.Phase || h.latest.Status.Outcome != status.Outcome {
		h.moves = append(h.moves, move{time.Now(), status.Phase, status.Outcome, session.Status.Message()})
	}
	if status.Phase == v1alpha1.PhaseEnded && h.ended.IsZero() {
		h.ended = time.Now()
	}
	h.latest = session.DeepCopy()
}

func (r *records) missing(there map[types.UID]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, h := range r.byUID {
		if !there[uid] && h.gone.IsZero() {
			h.gone = time.Now()
		}
	}
}

func (r *records) lost(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.byUID[uid]; h != nil {
		h.gone = time.Now()
	}
}

// of returns what is known of a session. It is not to be changed.
func (r *records) of(uid types.UID) history {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.byUID[uid]; h != nil {
		return *h
	}
	return history{}
}

// settledTwice says what was wrong with the order of a session's phases: one that has ended stays so.
func (h *history) settledTwice() string {
	for i, m := range h.moves {
		if m.phase == v1alpha1.PhaseEnded && i < len(h.moves)-1 {
			next := h.moves[i+1]
			return fmt.Sprintf("was Ended (%s), then became %s %s", m.outcome, next.phase, next.outcome)
		}
	}
	return ""
}
