package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

var missing = map[string]func(*v1alpha1.DebugSessionStatus){
	"nothing":       func(*v1alpha1.DebugSessionStatus) {},
	"class":         func(s *v1alpha1.DebugSessionStatus) { s.Class = nil },
	"target":        func(s *v1alpha1.DebugSessionStatus) { s.Target = nil },
	"debugger":      func(s *v1alpha1.DebugSessionStatus) { s.Debugger = nil },
	"access":        func(s *v1alpha1.DebugSessionStatus) { s.Access = nil },
	"startedAt":     func(s *v1alpha1.DebugSessionStatus) { s.StartedAt = nil },
	"expiresAt":     func(s *v1alpha1.DebugSessionStatus) { s.ExpiresAt = nil },
	"hardDeadline":  func(s *v1alpha1.DebugSessionStatus) { s.HardDeadline = nil },
	"conditions":    func(s *v1alpha1.DebugSessionStatus) { s.Conditions = nil },
	"all but phase": func(s *v1alpha1.DebugSessionStatus) { *s = v1alpha1.DebugSessionStatus{Phase: s.Phase} },
}

// Nobody but the operator writes a status, unless it was restored from somewhere, or edited by an administrator. What is
// missing in one keeps no debugger from being ended, and no session from being deleted.
func TestASessionWhoseStatusIsDamagedEnds(t *testing.T) {
	ephemeral, pod := active(t)
	copySession, made := activeCopy(t)
	for mode, is := range map[string]struct {
		session *v1alpha1.DebugSession
		does    string
	}{"ephemeral": {ephemeral, "StopDebugger"}, "copy": {copySession, "DeletePod"}} {
		for _, session := range []*v1alpha1.DebugSession{is.session, ending(t, is.session)} {
			for first, take := range missing {
				for second, takeToo := range missing {
					t.Run(fmt.Sprintf("%s/%s/%s/%s", mode, session.Status.Phase, first, second), func(t *testing.T) {
						session := session.DeepCopy()
						fixture.Deleted(session)
						take(&session.Status)
						takeToo(&session.Status)
						var did []string
						for range 3 {
							p := pass(t, about(session, target(pod), copied(made)))
							did = append(did, does(p))
							session = written(session, p)
						}
						if !slices.ContainsFunc(did, func(all string) bool { return strings.Contains(all, is.does) }) {
							t.Errorf("it did %q: %s", did, session.Status.Phase)
						}
						p := pass(t, about(session, targetIs(absent()), copyIs(absent())))
						if p.Status.Phase != v1alpha1.PhaseEnded {
							t.Errorf("with nothing left it is %s", p.Status.Phase)
						}
					})
				}
			}
		}
	}
}

func TestADamagedSessionThatIsNotDeletedEnds(t *testing.T) {
	session, pod := active(t)
	session.Status.Class = nil
	p := pass(t, about(session, target(pod)))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeFailed, says: "part of its status was lost"}.check(t, p)
}

// The pod of an ephemeral debugger is its target, whatever else is known of that.
func TestTheTargetThatWasChosenIsLost(t *testing.T) {
	session, pod := active(t)
	session.Spec.Target.PodName = ""
	session.Status.Target = nil
	session = written(session, pass(t, about(session)))
	if session.Status.Target.PodName != pod.Name {
		t.Errorf("looks for it in pod %q", session.Status.Target.PodName)
	}
	want{phase: v1alpha1.PhaseEnding, does: "StopDebugger"}.check(t, pass(t, about(session, target(pod))))
}

// The name of a pod that was chosen is in the status alone.
func TestNothingIsKnownAnyMore(t *testing.T) {
	session, _ := active(t)
	session.Spec.Target.PodName = ""
	session.Status.Target, session.Status.Debugger = nil, nil
	p := pass(t, about(session, accessIs(plan.AccessRevoked)))
	p = pass(t, about(written(session, p)))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeFailed, says: "its pod is unknown", warns: "Failed"}.check(t, p)
}

// One that waits for approval may start on nothing but what was asked for, and has nothing that would have to be ended.
func TestASessionThatWaitsForApprovalWithADamagedStatus(t *testing.T) {
	for name, take := range map[string]func(*v1alpha1.DebugSessionStatus){
		"nothing": func(*v1alpha1.DebugSessionStatus) {}, "class": func(s *v1alpha1.DebugSessionStatus) { s.Class = nil },
		"timeout": func(s *v1alpha1.DebugSessionStatus) { s.Class.ApprovalTimeout = nil },
		"request": func(s *v1alpha1.DebugSessionStatus) { s.Request = nil },
		"target":  func(s *v1alpha1.DebugSessionStatus) { s.Target = nil },
	} {
		t.Run(name, func(t *testing.T) {
			session, approvals := asking(t)
			take(&session.Status)
			v := about(session, target(fixture.Pod()))
			v.class = ptr.To(granting(func(*v1alpha1.DebugClassSpec) {}))
			v.approvals, v.freshApprovals = &approvals, ptr.To(plan.Found([]approval.Approval(nil)).Fresh())
			want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, pass(t, v))
		})
	}
}
