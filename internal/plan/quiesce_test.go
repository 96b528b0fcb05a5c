package plan_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// The message is the runtime's own.
func TestAnImageWithoutASleep(t *testing.T) {
	const words = `runc create failed: unable to start container process: exec: "sleep": executable file not found in $PATH`
	waiting := fixture.ContainerState("app", fixture.Waiting("RunContainerError", words))
	crashed := func(p *corev1.Pod) {
		fixture.ContainerState("app", fixture.Waiting("CrashLoopBackOff", "back-off 10s restarting failed container"))(p)
		p.Status.ContainerStatuses[len(p.Status.ContainerStatuses)-1].LastTerminationState = fixture.Exited(now, 128, "StartError", words)
	}
	quiet := fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Quiesce = []v1alpha1.QuiescedContainer{{Name: "*"}} })
	const says = "the image of app has no sleep"
	for name, tc := range map[string]struct {
		mode fixture.SessionOption
		seen fixture.PodOption
		says string
	}{
		"is told of":                   {quiet, waiting, says},
		"is told of while it is tried": {quiet, crashed, says},
		"is nothing to one that runs":  {fixture.AsCopy(), waiting, ""},
	} {
		t.Run(name, func(t *testing.T) {
			session := admitted(t, fixture.Session(tc.mode), fixture.Pod())
			running := fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Running(now))
			p := pass(t, about(session, copied(copyOf(t, session, fixture.Pod(), running, tc.seen))))
			want{phase: v1alpha1.PhaseActive, does: "GrantAccess", says: tc.says}.check(t, p)
			if told := strings.Contains(said(p), says); told != (tc.says != "") {
				t.Errorf("says %q", said(p))
			}
		})
	}
}
