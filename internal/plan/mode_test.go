package plan_test

import (
	"testing"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// A session of a mode that another version of the operator knows waits: nothing is made for it, and nothing of it is called gone.
func TestUnknownMode(t *testing.T) {
	another := func(s *v1alpha1.DebugSession) { s.Spec.Mode = "Teleport" }
	t.Run("asked for", func(t *testing.T) {
		class := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Modes = append(c.Modes, "Teleport") })
		p := pass(t, about(fixture.Session(another), func(v *view) { v.class = new(plan.Found(class)) }))
		want{phase: v1alpha1.PhasePending, reason: v1alpha1.ReasonOperatorFault, says: `mode "Teleport"`, does: "AddFinalizer",
			retries: true, warns: v1alpha1.ReasonOperatorFault}.check(t, p)
	})
	session, _ := activeCopy(t)
	session.Spec.Mode = "Teleport"
	t.Run("running", func(t *testing.T) {
		want{phase: v1alpha1.PhaseActive, retries: true}.check(t, pass(t, about(session)))
	})
	t.Run("ending", func(t *testing.T) {
		p := pass(t, about(ending(t, session)))
		want{phase: v1alpha1.PhaseEnding, retries: true}.check(t, p)
	})
}
