package fakekubelet

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/internal/debugpod"
)

// A node ends a debugger when the wrapper around its command would, and tells of each state once.
func TestADebuggerEndsByItself(t *testing.T) {
	start := time.Unix(1000, 0)
	end := start.Add(time.Minute)
	command, err := debugpod.Wrap([]string{"sh"}, nil, debugpod.Deadlines{StartBy: end, End: end, Hard: end.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "one"}}
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{
		{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Command: command}},
	}
	runtime := NewRuntime()

	status, endsAt := runtime.Look(pod, start)
	if status == nil || status.EphemeralContainerStatuses[0].State.Running == nil || !endsAt.Equal(end) {
		t.Fatalf("it starts: %v, %s", status, endsAt)
	}
	runtime.Told(pod, status)
	if status, _ := runtime.Look(pod, end.Add(-time.Second)); status != nil {
		t.Errorf("it runs: %v", status)
	}
	status, endsAt = runtime.Look(pod, end)
	if status == nil || !endsAt.IsZero() {
		t.Fatalf("it ends: %v, %s", status, endsAt)
	}
	if ended := status.EphemeralContainerStatuses[0].State.Terminated; ended == nil || ended.ExitCode != debugpod.ExitDeadline {
		t.Errorf("it ended with %v", ended)
	}
	runtime.Told(pod, status)
	if status, _ := runtime.Look(pod, end.Add(time.Hour)); status != nil {
		t.Errorf("it has ended: %v", status)
	}
}
