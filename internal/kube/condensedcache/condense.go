package condensedcache

import (
	"slices"
	"strings"
	"sync"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// Condense returns the copy of a session that rests: what identifies it, what keeps it from being deleted, what its retention is
// computed from, where it is counted, and, if it was approved, what decides which approvals count. A condensed copy is returned as it is.
func Condense(session *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	if plan.Condensed(session) {
		return session
	}
	status := &session.Status
	kept := &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{
			Name: session.Name, Namespace: intern(session.Namespace), UID: session.UID,
			ResourceVersion: session.ResourceVersion, Generation: session.Generation,
			CreationTimestamp: session.CreationTimestamp, DeletionTimestamp: session.DeletionTimestamp,
			Finalizers: slices.Clone(session.Finalizers), // of others; nil if there are none
			Labels:     marksOf(session.Labels), Annotations: marksOf(session.Annotations),
			ManagedFields: condensedMark,
		},
		Spec: v1alpha1.DebugSessionSpec{ClassName: intern(session.Spec.ClassName), Mode: intern(session.Spec.Mode), MemberOf: session.Spec.MemberOf.DeepCopy()},
		Status: v1alpha1.DebugSessionStatus{
			ObservedGeneration: status.ObservedGeneration, Phase: v1alpha1.PhaseEnded, Outcome: intern(status.Outcome),
			EndedAt: status.EndedAt, Class: classes.of(status.Class),
		},
	}
	if status.Request != nil {
		keepApproval(kept, session)
	}
	return kept
}

// condensedMark is shared: what a cache holds is not changed.
var condensedMark = plan.CondensedMark()

// keepApproval keeps of a session that needed approval what its approvals are judged by.
func keepApproval(condensed, session *v1alpha1.DebugSession) {
	status, kept := &session.Status, &condensed.Status
	if session.Spec.Requester != nil {
		condensed.Spec.Requester = &v1alpha1.Identity{Username: intern(session.Spec.Requester.Username)}
	}
	kept.StartedAt = status.StartedAt
	kept.Request = &v1alpha1.RequestStatus{Hash: status.Request.Hash, Since: status.Request.Since}
	if status.Class != nil {
		kept.Class = condenseClass(status.Class)
		kept.Class.SelfApproval, kept.Class.ApprovalTimeout = status.Class.SelfApproval, status.Class.ApprovalTimeout
	}
	for i := range status.Approvals {
		a := &status.Approvals[i]
		kept.Approvals = append(kept.Approvals, v1alpha1.ApprovalStatus{Name: a.Name, By: intern(a.By), At: a.At, Decision: intern(a.Decision)})
	}
}

// marksOf are the labels or annotations that say that a tool would create the session again, without their values.
func marksOf(marks map[string]string) map[string]string {
	var kept map[string]string
	for key := range marks {
		if plan.MarksManaged(key) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[intern(key)] = ""
		}
	}
	return kept
}

// intern has equal strings share their bytes.
func intern[T ~string](text T) T {
	return T(unique.Make(strings.Clone(string(text))).Value())
}

// sharedClasses has sessions of the same class share what is kept of it. Classes are few, and administrators make them; a status that
// somebody has edited may name any, so no more than maxShared are held.
type sharedClasses struct {
	mu    sync.Mutex
	known map[classKey]*v1alpha1.ClassStatus
}

type classKey struct {
	name      string
	kept      bool // for ever
	retention v1alpha1.Duration
}

const maxShared = 1024

var classes = &sharedClasses{known: map[classKey]*v1alpha1.ClassStatus{}}

// of is what is kept of a class as a session has recorded it; nil if it has not.
func (s *sharedClasses) of(class *v1alpha1.ClassStatus) *v1alpha1.ClassStatus {
	if class == nil {
		return nil
	}
	key := classKey{name: class.Name, kept: class.Retention == nil}
	if class.Retention != nil {
		key.retention = *class.Retention
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if shared := s.known[key]; shared != nil {
		return shared
	}
	shared := condenseClass(class)
	if len(s.known) < maxShared {
		key.name = shared.Name
		s.known[key] = shared
	}
	return shared
}

func condenseClass(class *v1alpha1.ClassStatus) *v1alpha1.ClassStatus {
	kept := &v1alpha1.ClassStatus{Name: intern(class.Name)}
	if class.Retention != nil {
		retention := *class.Retention
		kept.Retention = &retention
	}
	return kept
}
