package plan_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// Kubernetes removes no ephemeral container. A pod that was full of them could not be written any more, by its kubelet either.
func TestAPodIsNotFilledWithDebuggers(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	debugger := pass(t, about(session, target(fixture.Pod()))).Actions[0].(plan.InjectDebugger).Container
	filled := func(debuggers int) *corev1.Pod {
		return fixture.Pod(func(p *corev1.Pod) {
			for i := range debuggers {
				made := debugger.DeepCopy()
				made.Name = fmt.Sprint("debugger-of-old-", i)
				p.Spec.EphemeralContainers = append(p.Spec.EphemeralContainers, *made)
			}
		})
	}
	full := want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "Invalid", says: "with 200 debuggers",
		warns: "Rejected"}
	asked := fixture.Session()
	asked.Finalizers = []string{v1alpha1.Finalizer}
	want{phase: v1alpha1.PhaseStarting}.check(t, pass(t, about(asked, target(filled(100)))))
	full.check(t, pass(t, about(asked, target(filled(199)))))

	t.Run("since it was admitted", func(t *testing.T) {
		want{
			phase:   v1alpha1.PhaseEnding,
			outcome: v1alpha1.OutcomeRejected,
			reason:  "Invalid",
		}.check(t, pass(t, about(session, target(filled(199)))))
	})
	t.Run("and is copied without them", func(t *testing.T) {
		asked := asked.DeepCopy()
		fixture.AsCopy()(asked)
		want{phase: v1alpha1.PhaseStarting}.check(t, pass(t, about(asked, target(filled(199)))))
	})
}
