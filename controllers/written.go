package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// writes remembers the newest version of each session that this process has written, until the cache has caught up. A pass
// that a pod's event wakes before then would otherwise decide on what is already history. That would be harmless, as
// every write is guarded by the version it was made from, but it would cost requests that are bound to fail.
type writes struct {
	mu       sync.Mutex
	sessions map[types.NamespacedName]*v1alpha1.DebugSession
	known    map[types.NamespacedName]types.UID // sessions that this process has seen as they are
}

func (w *writes) remember(session *v1alpha1.DebugSession) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sessions == nil {
		w.sessions = map[types.NamespacedName]*v1alpha1.DebugSession{}
	}
	w.sessions[client.ObjectKeyFromObject(session)] = session.DeepCopy()
	w.know(session)
}

// confirm notes that the session was found to be the API server's own.
func (w *writes) confirm(session *v1alpha1.DebugSession) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.know(session)
}

// confirmed says whether a status that is older than that of another process can still come from the cache. It cannot once
// this process has written or confirmed the session: nobody else writes its status, and newest returns nothing older.
func (w *writes) confirmed(session *v1alpha1.DebugSession) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[client.ObjectKeyFromObject(session)] == session.UID
}

func (w *writes) know(session *v1alpha1.DebugSession) {
	if w.known == nil {
		w.known = map[types.NamespacedName]types.UID{}
	}
	w.known[client.ObjectKeyFromObject(session)] = session.UID
}

func (w *writes) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sessions, key)
	delete(w.known, key)
}

// peek is newest for an object that is only looked at.
func (w *writes) peek(cached *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	w.mu.Lock()
	defer w.mu.Unlock()
	if mine, ok := w.sessions[client.ObjectKeyFromObject(cached)]; ok && newer(mine, cached) {
		return mine
	}
	return cached
}

// newer says whether a was written after b.
func newer(a, b *v1alpha1.DebugSession) bool {
	order, err := resourceversion.CompareResourceVersion(a.ResourceVersion, b.ResourceVersion)
	return err == nil && order > 0 && a.UID == b.UID
}

// newest returns the cached session, or what was written since.
func (w *writes) newest(cached *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := client.ObjectKeyFromObject(cached)
	mine, ok := w.sessions[key]
	if !ok {
		return cached
	}
	if newer(mine, cached) {
		return mine.DeepCopy()
	}
	delete(w.sessions, key)
	return cached
}
