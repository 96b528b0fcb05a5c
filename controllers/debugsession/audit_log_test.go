package debugsession

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
)

// Whoever keeps the logs as a record queries them by these keys: none may change its name or go.
func TestAuditLogKeys(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC))
	later := metav1.NewTime(at.Add(time.Hour))
	session := &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "hang", UID: "uid-1"},
		Spec: v1alpha1.DebugSessionSpec{
			Mode: v1alpha1.ModeEphemeralContainer, ClassName: "production", Requester: &v1alpha1.Identity{Username: "alice"},
		},
		Status: v1alpha1.DebugSessionStatus{
			Phase: v1alpha1.PhaseEnded, Reason: "Expired", Outcome: v1alpha1.OutcomeExpired,
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionEnded, Message: "its time was up"}},
			Approvals:  []v1alpha1.ApprovalStatus{{Name: "ok", By: "bob", Decision: v1alpha1.DecisionApprove}},
			Target:     &v1alpha1.TargetStatus{PodName: "web", PodUID: "uid-2", NodeName: "node-1"},
			Debugger: &v1alpha1.DebuggerStatus{
				PodName: "web", ContainerName: "debugger-1", ImageID: "busybox@sha256:0", ExitCode: ptr.To[int32](143),
				StoppedBy: v1alpha1.StoppedByOperator,
			},
			StartedAt: &at, ExpiresAt: &later, HardDeadline: &later, EndedAt: &later,
		},
	}
	want := []any{
		"uid", types.UID("uid-1"), "mode", v1alpha1.ModeEphemeralContainer, "class", "production", "reason", "Expired",
		"message", "its time was up", "requester", "alice", "approvals", []string{"Approve by bob"},
		"targetPod", "web", "targetNode", "node-1", "targetUID", types.UID("uid-2"),
		"debuggerPod", "web", "debuggerContainer", "debugger-1", "imageID", "busybox@sha256:0",
		"startedAt", "2026-11-24T12:00:00Z", "expiresAt", "2026-11-24T13:00:00Z", "hardDeadline", "2026-11-24T13:00:00Z", "endedAt",
		"2026-11-24T13:00:00Z",
		"outcome", v1alpha1.OutcomeExpired, "stoppedBy", v1alpha1.StoppedByOperator, "exitCode", int32(143),
	}
	if got := auditLog(session); !reflect.DeepEqual(got, want) {
		t.Errorf("tells\n%v, want\n%v", got, want)
	}
	if got := auditLog(&v1alpha1.DebugSession{}); len(got) != 8 {
		t.Errorf("of a session of which nothing is known it tells %v", got)
	}
}
