package plan_test

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func attachable(t *testing.T, p plan.Plan, status metav1.ConditionStatus, reason, says string) {
	t.Helper()
	c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionAttachable)
	if c == nil || c.Status != status || c.Reason != reason || !strings.Contains(c.Message, says) {
		t.Errorf("Attachable is %+v, want %s, %s, %q", c, status, reason, says)
	}
}

// kubectl wait --for=condition=Attachable returns when the command in status.attach connects, and not before or after.
func TestAttachable(t *testing.T) {
	starting := admitted(t, fixture.Session(), fixture.Pod())
	p := pass(t, about(starting, target(fixture.Pod())))
	attachable(t, p, metav1.ConditionFalse, "Starting", "see condition DebuggerReady")

	session, pod := active(t)
	p = pass(t, about(session, target(pod)))
	attachable(t, p, metav1.ConditionTrue, "Running", "status.attach")

	t.Run("not while access cannot be given", func(t *testing.T) {
		session := session.DeepCopy()
		session.Status.Phase = v1alpha1.PhaseStarting
		p := passOf(t, about(session, target(pod), accessIs(plan.AccessUnsure)), func(actions []plan.Action) []plan.Result {
			return []plan.Result{{Action: actions[0], Err: errors.New("offline")}}
		})
		attachable(t, p, metav1.ConditionFalse, "Retrying", "see condition DebuggerReady")
	})
	t.Run("not without the access that it takes", func(t *testing.T) {
		session := session.DeepCopy()
		session.Status.Class.AccessVerbs = []v1alpha1.AccessVerb{v1alpha1.AccessExec}
		attachable(t, pass(t, about(session, target(pod))), metav1.ConditionFalse, "NotGranted", "does not grant")
	})
	t.Run("without stdin it shows the output", func(t *testing.T) {
		session := session.DeepCopy()
		session.Spec.Debugger.Stdin, session.Spec.Debugger.TTY = false, false
		attachable(t, pass(t, about(session, target(pod))), metav1.ConditionTrue, "Running", "takes no input")
	})
	t.Run("not when it is to end, nor after", func(t *testing.T) {
		over := session.DeepCopy()
		over.Spec.End = true
		p := pass(t, about(over, target(pod)))
		attachable(t, p, metav1.ConditionFalse, "Terminated", "see condition Ended")
		if !meta.IsStatusConditionPresentAndEqual(p.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse) {
			t.Error("Ready while it is ending")
		}
		p = pass(t, about(written(over, p), targetIs(absent()), accessIs(plan.AccessRevoked)))
		want{phase: v1alpha1.PhaseEnded}.check(t, p)
		attachable(t, p, metav1.ConditionFalse, "Terminated", "see condition Ended")
		if !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) {
			t.Error("not Ready, although it ran: kstatus would call it failed")
		}
	})
}

// A ttl that is changed is seen everywhere: no condition tells the old end.
func TestAdmissibleTellsThePresentEnd(t *testing.T) {
	session, pod := active(t)
	session.Spec.TTL = &metav1.Duration{Duration: session.Status.ExpiresAt.Sub(session.Status.StartedAt.Time) / 2}
	p := pass(t, about(session, target(pod)))
	admissible := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionAdmissible)
	if end := p.Status.ExpiresAt.UTC().Format("2006-01-02T15:04:05Z"); !strings.HasSuffix(admissible.Message,
		"may be debugged until "+end) {
		t.Errorf("Admissible says %q, and it ends at %s", admissible.Message, end)
	}
}
