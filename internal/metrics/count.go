package metrics

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"debugsession.dev/operator/api/v1alpha1"
)

type place struct {
	phase v1alpha1.Phase
	mode  v1alpha1.Mode
}

type classPlace struct {
	class string
	phase v1alpha1.Phase
}

// counts are what one scrape says of sessions.
type counts struct {
	places       map[place]int
	classes      map[classPlace]int
	approvalWait map[string]time.Duration // the longest of each class
	ending       time.Duration            // the longest
	overdue      time.Duration            // the longest
}

func countSessions(sessions []*v1alpha1.DebugSession, now time.Time) counts {
	c := counts{places: map[place]int{}, classes: map[classPlace]int{}, approvalWait: map[string]time.Duration{}}
	for _, phase := range phases {
		for _, mode := range modes {
			c.places[place{phase, mode}] = 0
		}
	}
	for i := range sessions {
		c.add(sessions[i], now)
	}
	return c
}

func (c *counts) add(session *v1alpha1.DebugSession, now time.Time) {
	status, phase := &session.Status, phaseOf(session.Status.Phase)
	c.places[place{phase, modeOf(session.Spec.Mode)}]++
	if phase == v1alpha1.PhaseEnded {
		return
	}
	class := className(session)
	if class != "" {
		c.classes[classPlace{class, phase}]++
	}
	if phase == v1alpha1.PhaseAwaitingApproval && class != "" {
		c.approvalWait[class] = max(c.approvalWait[class], now.Sub(askedAt(session)))
	}
	if phase == v1alpha1.PhaseEnding {
		c.ending = max(c.ending, now.Sub(lastTransition(session)))
	}
	if status.ExpiresAt != nil && status.EndedAt == nil {
		c.overdue = max(c.overdue, now.Sub(status.ExpiresAt.Time))
	}
}

// className is the session's class once the operator has found it: anybody may write any name into a session, and each label's value is
// kept for as long as Prometheus is.
func className(session *v1alpha1.DebugSession) string {
	if session.Status.Class == nil {
		return ""
	}
	return session.Status.Class.Name
}

// askedAt is since when a session waits for approval.
func askedAt(session *v1alpha1.DebugSession) time.Time {
	if approved := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionApproved); approved != nil {
		return approved.LastTransitionTime.Time
	}
	return session.CreationTimestamp.Time
}

// lastTransition is when a condition of the session last became another.
func lastTransition(session *v1alpha1.DebugSession) time.Time {
	last := session.CreationTimestamp.Time
	for i := range session.Status.Conditions {
		if at := session.Status.Conditions[i].LastTransitionTime.Time; at.After(last) {
			last = at
		}
	}
	return last
}
