package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// memory is what this process knows of each session from having done it: another session of the same name is another.
type memory[T any] struct {
	mu       sync.Mutex
	sessions map[types.NamespacedName]remembered[T]
}

type remembered[T any] struct {
	uid  types.UID
	what T
}

// recall returns what was set last, or the zero value.
func (m *memory[T]) recall(session *v1alpha1.DebugSession) T {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.sessions[client.ObjectKeyFromObject(session)]; known.uid == session.UID {
		return known.what
	}
	var nothing T
	return nothing
}

func (m *memory[T]) set(session *v1alpha1.DebugSession, what T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions == nil {
		m.sessions = map[types.NamespacedName]remembered[T]{}
	}
	m.sessions[client.ObjectKeyFromObject(session)] = remembered[T]{session.UID, what}
}

func (m *memory[T]) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, key)
}
