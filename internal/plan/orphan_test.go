package plan_test

import (
	"testing"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// A session deleted with --cascade=orphan loses its copy's owner reference, perhaps before the copy's UID was recorded.
func TestTeardownOfAnOrphanedCopy(t *testing.T) {
	session := ending(t, admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod()))
	orphan := fixture.Pod(fixture.Named(session.Status.Debugger.PodName))
	orphan.Labels = map[string]string{v1alpha1.LabelSessionUID: string(session.UID)}
	fixture.Deleted(session)
	if p := pass(t, about(session, copyIs(plan.Found(orphan)))); len(p.Actions) > 0 {
		t.Errorf("touches a pod that somebody has labelled: %v", p.Actions)
	}
	orphan.Spec.Containers[0].Name = session.Status.Debugger.ContainerName
	p := pass(t, about(session, copyIs(plan.Found(orphan))))
	want{phase: v1alpha1.PhaseEnding, does: "DeletePod", wakes: soon}.check(t, p)
	if remove := p.Actions[len(p.Actions)-1].(plan.DeletePod); remove.UID != orphan.UID {
		t.Errorf("deletes %s", remove.UID)
	}

	fixture.ControlledBy("ReplicaSet", "web")(orphan)
	if p := pass(t, about(session, copyIs(plan.Found(orphan)))); len(p.Actions) > 0 {
		t.Errorf("touches a pod of somebody else's: %v", p.Actions)
	}
}
