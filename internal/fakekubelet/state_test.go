package fakekubelet

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/internal/debugpod"
)

func web(command ...string) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = "shop", "web"
	pod.Spec.InitContainers = []corev1.Container{{Name: "setup"}}
	pod.Spec.Containers = []corev1.Container{{Name: "app"}}
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{
		{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Command: command}},
	}
	return pod
}

func TestStartLeavesWhatHasEnded(t *testing.T) {
	now, pod := time.Unix(1000, 0), web()
	Set(pod, "debugger", Killed(now))
	Start(pod, now)
	if pod.Status.Phase != corev1.PodRunning || State(pod, "app").Running == nil {
		t.Errorf("started: %+v", pod.Status)
	}
	if State(pod, "debugger").Terminated == nil {
		t.Errorf("the debugger was started again: %+v", pod.Status.EphemeralContainerStatuses)
	}
	if len(pod.Status.InitContainerStatuses) > 0 {
		t.Errorf("an init container was started: %+v", pod.Status.InitContainerStatuses)
	}
}

func TestExitCountsOnce(t *testing.T) {
	now, pod := time.Unix(1000, 0), web()
	Start(pod, now)
	Exit(pod, "app", Exited(now.Add(time.Second), 3, "Error", ""))
	Exit(pod, "app", Killed(now.Add(time.Second)))
	if ended := State(pod, "app").Terminated; ended == nil || ended.ExitCode != 3 || !ended.StartedAt.Time.Equal(now) {
		t.Errorf("ended with %+v", ended)
	}
}

func TestRecreatedContainerTellsHowItEnded(t *testing.T) {
	now, pod := time.Unix(1000, 0), web()
	Start(pod, now)
	Recreate(pod, "debugger")
	Set(pod, "debugger", Running(now))
	status := pod.Status.EphemeralContainerStatuses[0]
	if status.State.Running == nil || status.LastTerminationState.Terminated == nil {
		t.Errorf("said of it: %+v", status)
	}
}

func TestAWatchdogKeepsToWhatItWasToldLast(t *testing.T) {
	end := time.Unix(1000, 0)
	command, err := debugpod.Wrap([]string{"sh"}, nil, debugpod.Deadlines{StartBy: end, End: end, Hard: end.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var watchdogs Watchdogs
	pod := web(command...)
	if got, err := watchdogs.Deadline(pod, "debugger"); err != nil || !got.Equal(end) {
		t.Errorf("begins with %s, %v", got, err)
	}
	later, err := MovedTo(debugpod.MoveDeadline(end.Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	watchdogs.Move(types.NamespacedName{Namespace: "shop", Name: "web"}, "debugger", later)
	if got, err := watchdogs.Deadline(pod, "debugger"); err != nil || !got.Equal(end.Add(time.Minute)) {
		t.Errorf("was told %s, %v", got, err)
	}
	if _, err := watchdogs.Deadline(pod, "app"); err == nil {
		t.Error("a container that is no debugger has a deadline")
	}
}
