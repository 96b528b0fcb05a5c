package debugsession

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// sessionState is the in-process state of a session. It is lost at a restart, and only saves requests: no invariant rests on it.
type sessionState struct {
	uid types.UID // the state is invalid for a session of the same name with another UID

	// written is the newest version that this process has written, until the cache has caught up; nil then. A pass that a pod's event
	// enqueues before would otherwise decide on what is out of date. That is harmless, as every write has an optimistic lock,
	// but it would cost requests that are bound to fail.
	written *v1alpha1.DebugSession

	// confirmed is whether this process has written the session, or read it from the API server. Then a status that is older than
	// another process's cannot come from the cache any more: nobody else writes it, and newest returns nothing older.
	confirmed bool

	unwritten *unwrittenStatus // what it has come to since its status was written; nil: nothing

	access    plan.AccessState // what was done about the access, so that it need not be read
	retriedAt time.Time        // when it was last written down that something is tried again
	exec      execState
}

// execState is what became of the commands that were run in the debugger's container.
type execState struct {
	stoppedAt   time.Time // when it was last stopped, did not answer, or had ended already
	ineffective bool      // the last command ran without effect, or for as long as it was waited for
}

// sessionStates holds the state of each session, from its first use until the session is gone.
type sessionStates struct {
	mu     sync.Mutex
	states map[types.NamespacedName]*sessionState
}

// get returns what is known of the session, which is nothing at first.
func (s *sessionStates) get(session *v1alpha1.DebugSession) sessionState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.states[client.ObjectKeyFromObject(session)]; state != nil && state.uid == session.UID {
		return *state
	}
	return sessionState{uid: session.UID}
}

func (s *sessionStates) update(session *v1alpha1.DebugSession, change func(*sessionState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := client.ObjectKeyFromObject(session)
	if s.states == nil {
		s.states = map[types.NamespacedName]*sessionState{}
	}
	if state := s.states[key]; state == nil || state.uid != session.UID {
		s.states[key] = &sessionState{uid: session.UID}
	}
	change(s.states[key])
}

func (s *sessionStates) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.states, key)
}

// wrote remembers the version of a session that this process has written.
func (s *sessionStates) wrote(session *v1alpha1.DebugSession) {
	version := session.DeepCopy()
	s.update(session, func(state *sessionState) { state.written, state.confirmed = version, true })
}

func (s *sessionStates) setAccess(session *v1alpha1.DebugSession, access plan.AccessState) {
	s.update(session, func(state *sessionState) { state.access = access })
}

func (s *sessionStates) setExec(session *v1alpha1.DebugSession, exec execState) {
	s.update(session, func(state *sessionState) { state.exec = exec })
}

// peek is newest for an object that is only looked at.
func (s *sessionStates) peek(cached *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	if written := s.get(cached).written; written != nil && newer(written, cached) {
		return written
	}
	return cached
}

// newest returns the cached session, or what was written since.
func (s *sessionStates) newest(cached *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	written := s.get(cached).written
	switch {
	case written == nil:
		return cached
	case newer(written, cached):
		return written.DeepCopy()
	default:
		s.update(cached, func(state *sessionState) {
			if state.written == written {
				state.written = nil
			}
		})
		return cached
	}
}

// newer reports whether a was written after b.
func newer(a, b *v1alpha1.DebugSession) bool {
	order, err := resourceversion.CompareResourceVersion(a.ResourceVersion, b.ResourceVersion)
	return err == nil && order > 0
}
