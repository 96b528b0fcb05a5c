package approval_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
)

func TestCount(t *testing.T) {
	session := asking()
	bob, carol := given(session, "bob", time.Hour), given(session, "carol", 2*time.Hour)
	longer := given(session, "bob", 3*time.Hour)
	longer.Name = "again"
	unsealed := given(session, "dave", time.Hour)
	unsealed.Sealed = false
	for name, tc := range map[string]struct {
		given  []approval.Approval
		people int
		ttl    time.Duration
	}{
		"none":               {nil, 0, 0},
		"one of two":         {[]approval.Approval{bob}, 1, 0},
		"one that is none":   {[]approval.Approval{bob, unsealed}, 1, 0},
		"the shorter of two": {[]approval.Approval{bob, carol}, 2, time.Hour},
		"a person's longest": {[]approval.Approval{bob, carol, longer}, 2, 2 * time.Hour},
		"one person twice":   {[]approval.Approval{bob, longer}, 1, 0},
	} {
		tally := approval.Count(tc.given, session, 2)
		if tally.People != tc.people || tally.TTL != tc.ttl || tally.Denied != nil {
			t.Errorf("%s: %+v, want %d people and %s", name, tally, tc.people, tc.ttl)
		}
	}
	deny := given(session, "erin", time.Hour)
	deny.Spec.Decision = v1alpha1.DecisionDeny
	tally := approval.Count([]approval.Approval{bob, carol, deny}, session, 2)
	if tally.Denied == nil || tally.Denied.By != "erin" {
		t.Errorf("a denial: %+v", tally)
	}
	if people := tally.Approvers(); !slices.Equal(people, []string{"bob", "carol"}) {
		t.Errorf("approved by %v", people)
	}
}

// Of more approvals than a status can hold those are kept that decide.
func TestCountIsBounded(t *testing.T) {
	session := asking()
	var many []approval.Approval
	for i := range 100 {
		many = append(many, given(session, fmt.Sprintf("user-%03d", i), time.Duration(i)*time.Minute))
	}
	deny := given(session, "zoe", time.Hour)
	deny.Spec.Decision = v1alpha1.DecisionDeny
	kept := approval.Count(append(many, deny), session, 2).Approvals
	has := func(by string) bool {
		return slices.ContainsFunc(kept, func(a v1alpha1.ApprovalStatus) bool { return a.By == by })
	}
	if len(kept) != 32 || !has("zoe") || !has("user-099") || has("user-000") {
		t.Errorf("kept %d: %v", len(kept), kept)
	}
}
