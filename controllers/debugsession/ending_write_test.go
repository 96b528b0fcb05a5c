package debugsession

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// An end that is written whatever was written meanwhile takes nothing back of what others write into the status.
func TestPhaseGuardedPatchWritesWhatItChanges(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	before := &v1alpha1.DebugSession{Status: v1alpha1.DebugSessionStatus{
		Phase: v1alpha1.PhaseActive, Attach: "kubectl attach", StartedAt: &at,
		Class:         &v1alpha1.ClassStatus{Name: "standard", TTL: v1alpha1.Duration{Duration: time.Hour}},
		Notifications: []v1alpha1.SinkNotifications{{Sink: "approvers", Sent: []string{"Active"}}},
	}}
	before.UID = "uid-1"
	after := before.DeepCopy()
	after.Status.Phase, after.Status.Attach, after.Status.EndedAt = v1alpha1.PhaseEnded, "", &at
	data, err := phaseGuardedPatch(before, after).Data(after)
	if err != nil {
		t.Fatal(err)
	}
	var operations []struct{ Op, Path string }
	if err := json.Unmarshal(data, &operations); err != nil {
		t.Fatal(err)
	}
	want := []struct{ Op, Path string }{
		{"test", "/metadata/uid"}, {"test", "/status/phase"},
		{"add", "/status/endedAt"}, {"add", "/status/phase"}, {"remove", "/status/attach"},
	}
	if len(operations) != len(want) {
		t.Fatalf("got %s", data)
	}
	for i := range want {
		if operations[i] != want[i] {
			t.Errorf("got %v, want %v", operations[i], want[i])
		}
	}
}
