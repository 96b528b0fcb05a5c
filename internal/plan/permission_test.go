package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// When the requester was verified is recorded with what is written of the session first, and not changed after.
func TestVerifiedRequesterIsRecorded(t *testing.T) {
	trusted := func(o plan.Observed[*plan.Refusal]) look { return func(v *view) { v.trusted = &o } }
	noClass := func(v *view) { v.class = new(plan.Absent[*v1alpha1.DebugClass]()) }
	verified := func(s *v1alpha1.DebugSession) { s.Status.RequesterVerifiedAt = &metav1.Time{Time: after(-time.Hour)} }
	observed := func(s *v1alpha1.DebugSession) { s.Status.ObservedGeneration = 1 }
	for name, tc := range map[string]struct {
		session []fixture.SessionOption
		looks   []look
		want    time.Time
	}{
		"one that waits for its target":       {looks: []look{targetIs(absent())}, want: now},
		"one that starts":                     {looks: []look{target(fixture.Pod())}, want: now},
		"one that waits for its class":        {looks: []look{noClass}, want: now},
		"one that was verified before":        {session: one(verified), looks: []look{targetIs(absent())}, want: after(-time.Hour)},
		"one of which nothing is written yet": {looks: []look{targetIs(awaited())}},
		"one of which something was":          {session: one(observed), looks: []look{targetIs(awaited())}, want: now},
		"one that is refused":                 {looks: []look{trusted(plan.Found(&plan.Refusal{Reason: v1alpha1.ReasonNotTrusted, Message: "nobody stamped it"}))}},
		"one of which it cannot be told":      {looks: []look{trusted(plan.Unknown[*plan.Refusal](errOffline))}},
	} {
		t.Run(name, func(t *testing.T) {
			status := pass(t, about(fixture.Session(tc.session...), tc.looks...)).Status
			var got time.Time
			if at := status.RequesterVerifiedAt; at != nil {
				got = at.Time
			}
			if !got.Equal(tc.want) {
				t.Errorf("verified at %v, want %v", got, tc.want)
			}
		})
	}
}
