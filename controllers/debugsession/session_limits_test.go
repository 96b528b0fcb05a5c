package debugsession

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// There is no way around a class's limits by having members.
func TestCounts(t *testing.T) {
	rows := func(phases ...v1alpha1.Phase) fixture.SessionOption {
		return func(s *v1alpha1.DebugSession) {
			for _, phase := range phases {
				s.Status.Members = append(s.Status.Members, v1alpha1.MemberStatus{Phase: phase})
			}
		}
	}
	armed := func(s *v1alpha1.DebugSession) {
		s.Status.Armed = &v1alpha1.ArmedStatus{Since: &metav1.Time{Time: fixture.Created}}
	}
	started := func(s *v1alpha1.DebugSession) { s.Status.StartedAt = &metav1.Time{Time: fixture.Created} }
	ended := func(s *v1alpha1.DebugSession) { s.Status.Phase = v1alpha1.PhaseEnded }
	member := func(s *v1alpha1.DebugSession) { s.Spec.MemberOf = &v1alpha1.MemberOf{Name: "all", UID: "1"} }
	threeTimes := func(s *v1alpha1.DebugSession) { fixture.Crashed(s); fixture.Times(3)(s) }
	for name, tc := range map[string]struct {
		options []fixture.SessionOption
		want    int32
	}{
		"one that waits":                        {nil, 0},
		"one that runs":                         {[]fixture.SessionOption{started}, 1},
		"one that has ended":                    {[]fixture.SessionOption{started, ended}, 0},
		"a member":                              {[]fixture.SessionOption{started, member}, 0},
		"one that is armed":                     {[]fixture.SessionOption{fixture.Crashed, armed}, 1},
		"one of all, two of which run":          {[]fixture.SessionOption{fixture.All(5), started, rows(v1alpha1.PhaseEnded, v1alpha1.PhaseActive, "")}, 2},
		"one that is not armed yet":             {[]fixture.SessionOption{threeTimes}, 0},
		"one that is armed three times":         {[]fixture.SessionOption{threeTimes, armed}, 3},
		"one that was triggered once":           {[]fixture.SessionOption{threeTimes, armed, started, rows(v1alpha1.PhaseActive)}, 3},
		"one whose first member has ended":      {[]fixture.SessionOption{threeTimes, armed, started, rows(v1alpha1.PhaseEnded)}, 2},
		"one whose last member ends":            {[]fixture.SessionOption{threeTimes, armed, started, rows(v1alpha1.PhaseEnded, v1alpha1.PhaseEnded, v1alpha1.PhaseEnding)}, 1},
		"one that was triggered, and has ended": {[]fixture.SessionOption{threeTimes, armed, started, rows(v1alpha1.PhaseEnded), ended}, 0},
	} {
		if got := counts(fixture.Session(tc.options...)); got != tc.want {
			t.Errorf("%s counts %d, want %d", name, got, tc.want)
		}
	}
}
