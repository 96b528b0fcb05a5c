package approval

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// Tally is what the approvals that count come to.
type Tally struct {
	Approvals []v1alpha1.ApprovalStatus // those that count, in the order in which they were given; of too many those that decide
	Denied    *v1alpha1.ApprovalStatus  // a denial; nil if nobody denies it
	People    int                       // how many people approve it, if for less time than it asks
	TTL       time.Duration             // the longest that enough people approve; 0: it is not approved
}

// Count adds up the approvals that count, each person's once and at the longest ttl that they approved.
func Count(approvals []Approval, session *v1alpha1.DebugSession, required int) Tally {
	var t Tally
	longest := map[string]time.Duration{}
	for _, approval := range approvals {
		if approval.DeletionTimestamp != nil || !Evaluate(approval, session).Counts {
			continue
		}
		entry := v1alpha1.ApprovalStatus{
			Name: approval.Name, By: approval.Spec.Approver.Username, At: approval.CreationTimestamp,
			Decision: approval.Spec.Decision, TTL: (*v1alpha1.Duration)(approval.Spec.TTL.DeepCopy()),
			Reason: approval.Spec.Reason,
		}
		t.Approvals = append(t.Approvals, entry)
		if entry.Decision == v1alpha1.DecisionDeny {
			t.Denied = &entry
			continue
		}
		if entry.TTL != nil {
			longest[entry.By] = max(longest[entry.By], entry.TTL.Duration)
		}
	}
	t.Approvals = truncateApprovals(t.Approvals)
	t.People = len(longest)
	if required > 0 && len(longest) >= required {
		ttls := make([]time.Duration, 0, len(longest))
		for _, ttl := range longest {
			ttls = append(ttls, ttl)
		}
		slices.Sort(ttls)
		t.TTL = ttls[len(ttls)-required]
	}
	return t
}

// mostApprovals is how many approvals are written down. Whoever may approve may do so without end, and a status that has grown
// too large for the API server could never say Ended.
const mostApprovals = 32

// truncateApprovals are the approvals in the order in which they were given; of too many those that decide: denials, then one of each
// person's, and of those the ones of the longest ttl.
func truncateApprovals(approvals []v1alpha1.ApprovalStatus) []v1alpha1.ApprovalStatus {
	given := func(a, b v1alpha1.ApprovalStatus) int {
		return cmp.Or(a.At.Time.Compare(b.At.Time), strings.Compare(a.Name, b.Name))
	}
	if len(approvals) > mostApprovals {
		slices.SortFunc(approvals, func(a, b v1alpha1.ApprovalStatus) int {
			return cmp.Or(cmp.Compare(weight(b), weight(a)), given(a, b))
		})
		people := map[string]bool{}
		var again []v1alpha1.ApprovalStatus
		approvals = slices.DeleteFunc(approvals, func(a v1alpha1.ApprovalStatus) bool {
			known := people[a.By]
			people[a.By] = true
			if known {
				again = append(again, a)
			}
			return known
		})
		approvals = append(approvals, again...)[:mostApprovals]
	}
	slices.SortFunc(approvals, given)
	return approvals
}

func weight(a v1alpha1.ApprovalStatus) time.Duration {
	switch {
	case a.Decision == v1alpha1.DecisionDeny:
		return math.MaxInt64
	case a.TTL != nil:
		return a.TTL.Duration
	default:
		return 0
	}
}

// Approvers are those whose approvals count, each once.
func (t Tally) Approvers() []string {
	var names []string
	for _, a := range t.Approvals {
		if a.Decision == v1alpha1.DecisionApprove && !slices.Contains(names, a.By) {
			names = append(names, a.By)
		}
	}
	return names
}
