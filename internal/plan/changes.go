package plan

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"debugsession.dev/operator/api/v1alpha1"
)

// mostChanges is how many changes of ttl and end are written down.
const mostChanges = 16

// recordChange writes down who has changed ttl or end. When the end of the session was written down its record is made from that.
func (p *pass) recordChange() {
	status := p.status()
	if p.Change == nil || status.Phase == v1alpha1.PhaseEnded || status.EndedAt != nil ||
		slices.ContainsFunc(status.Changes, func(c v1alpha1.ChangeStatus) bool { return equality.Semantic.DeepEqual(c, *p.Change) }) {
		return
	}
	status.Changes = append(status.Changes, *p.Change.DeepCopy())
	if more := len(status.Changes) - mostChanges; more > 0 {
		status.Changes = status.Changes[more:]
	}
}
