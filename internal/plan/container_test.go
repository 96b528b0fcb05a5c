package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

const (
	pullError = `failed to pull and unpack image "registry.example/busybox:1.36": not found`
	pullPause = `Back-off pulling image "registry.example/busybox:1.36": ErrImagePull: ` + pullError
)

// What a debugger's container waits for is told, if it is in trouble.
func TestWaitingContainers(t *testing.T) {
	startBy := after(plan.StartTimeout)
	onItsWay := want{phase: v1alpha1.PhaseStarting, reason: "Starting", wakes: after(time.Minute)}
	troubled := func(reason, says string) want {
		return want{phase: v1alpha1.PhaseStarting, reason: reason, says: says, wakes: startBy, warns: reason}
	}
	for name, tc := range map[string]struct {
		state corev1.ContainerState
		want  want
	}{
		"no word yet":          {corev1.ContainerState{}, onItsWay},
		"being created":        {fixture.Waiting("ContainerCreating", ""), onItsWay},
		"initialising":         {fixture.Waiting("PodInitializing", ""), onItsWay},
		"no such image":        {fixture.Waiting("ErrImagePull", pullError), troubled("ErrImagePull", "check the image name and tag")},
		"no such image, later": {fixture.Waiting("ImagePullBackOff", pullPause), troubled("ErrImagePull", ": "+pullError)},
		"no image's name": {
			fixture.Waiting("InvalidImageName", "couldn't parse image name"),
			troubled("InvalidImageName", "couldn't parse image name"),
		},
		"image may not be pulled": {fixture.Waiting("ErrImageNeverPull", "Container image is not present with pull policy of Never"),
			troubled("ErrImageNeverPull", "pull policy of Never")},
		"no root": {fixture.Waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
			troubled("CreateContainerConfigError", "set debugger.securityContext.runAsUser")},
		"no such secret": {
			fixture.Waiting("CreateContainerConfigError", `secret "nope" not found`),
			troubled("CreateContainerConfigError", `secret "nope" not found`),
		},
		"target does not run": {fixture.Waiting("CreateContainerError",
			"failed to generate spec opts: invalid target container: container \"de065c\" is not running - in state CONTAINER_EXITED"),
			troubled("CreateContainerError", "use mode: PodCopy, with podCopy.quiesce")},
		"anything else": {
			fixture.Waiting("CreateContainerError", "context deadline exceeded"),
			troubled("CreateContainerError", "context deadline exceeded"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			session := admitted(t, fixture.Session(), fixture.Pod())
			tc.want.check(t, pass(t, about(session, target(debugged(session, tc.state)), accessIs(plan.AccessGranted))))
		})
		t.Run("copy: "+name, func(t *testing.T) {
			session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
			made := copyOf(t, session, fixture.Pod(), fixture.ContainerState(session.Status.Debugger.ContainerName, tc.state))
			tc.want.check(t, pass(t, about(session, copied(made), accessIs(plan.AccessGranted))))
		})
	}
}

// The kubelet shows ErrImagePull and ImagePullBackOff in turn. Nothing is written for that.
func TestPullErrorsDoNotFlap(t *testing.T) {
	for name, waits := range map[string]func(reason, message string) (*v1alpha1.DebugSession, look){
		"ephemeral": func(reason, message string) (*v1alpha1.DebugSession, look) {
			session := admitted(t, fixture.Session(), fixture.Pod())
			return session, target(debugged(session, fixture.Waiting(reason, message)))
		},
		"copy": func(reason, message string) (*v1alpha1.DebugSession, look) {
			session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
			return session, copied(copyOf(t, session, fixture.Pod(),
				fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Waiting(reason, message))))
		},
		"init container of a copy": func(reason, message string) (*v1alpha1.DebugSession, look) {
			session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
			return session, copied(copyOf(t, session, fixture.Pod(),
				fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Waiting("PodInitializing", "")),
				fixture.InitContainerState("setup", fixture.Waiting(reason, message))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			session, failing := waits("ErrImagePull", pullError)
			p := pass(t, about(session, failing))
			if got := p.Status.Reason; got != "ErrImagePull" {
				t.Fatalf("reason is %q: %s", got, said(p))
			}
			if name == "init container of a copy" && !strings.Contains(said(p), `init container "setup"`) {
				t.Errorf("does not say which container: %s", said(p))
			}
			session = written(session, p)
			_, pausing := waits("ImagePullBackOff", pullPause)
			for _, seen := range []look{pausing, failing, pausing} {
				p := pass(t, about(session, seen, at(after(time.Minute))))
				quiet(t, session, p)
			}
		})
	}
}

func TestUnschedulableCopy(t *testing.T) {
	session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
	made := copyOf(t, session, fixture.Pod(), func(p *corev1.Pod) {
		p.Spec.NodeName, p.Status.Phase = "", corev1.PodPending
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
			Message: "0/1 nodes are available: 1 Insufficient cpu.",
		}}
	})
	p := pass(t, about(session, copied(made)))
	want{phase: v1alpha1.PhaseStarting, reason: "Unschedulable", says: "1 Insufficient cpu", warns: "Unschedulable"}.check(t, p)

	p = pass(t, about(written(session, p), copied(made), at(after(plan.StartTimeout))))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeNotStarted, reason: "Unschedulable", says: "1 Insufficient cpu"}.check(t, p)
}

func TestEndedContainers(t *testing.T) {
	for name, tc := range map[string]struct {
		state   corev1.ContainerState
		outcome v1alpha1.Outcome
		reason  string
		says    string
	}{
		"exited":        {fixture.Exited(now, 0, "Completed", ""), v1alpha1.OutcomeCompleted, "Exited", "exit code 0"},
		"exited with 3": {fixture.Exited(now, 3, "Error", "no such host"), v1alpha1.OutcomeCompleted, "Exited", "exit code 3"},
		"killed": {fixture.Exited(now, 137, "OOMKilled", ""), v1alpha1.OutcomeFailed, "OOMKilled",
			"ran out of memory (OOMKilled, exit code 137)"},
		"no such command": {fixture.Exited(now, 128, "StartError", `exec: "bash": executable file not found in $PATH`),
			v1alpha1.OutcomeNotStarted, "StartError",
			"executable file not found"},
		"not there, says the wrapper": {gaveUp(127, "the image has no gdb; set debugger.command"),
			v1alpha1.OutcomeNotStarted, "NotStarted", "could not start: the image has no gdb; set debugger.command"},
		"not to be run": {fixture.Exited(now, 127, "ContainerCannotRun", "no"), v1alpha1.OutcomeNotStarted, "ContainerCannotRun",
			"set debugger.command"},
	} {
		check := func(t *testing.T, p plan.Plan) {
			t.Helper()
			want{phase: v1alpha1.PhaseEnding, outcome: tc.outcome, reason: tc.reason, says: tc.says}.check(t, p)
			d, ended := p.Status.Debugger, tc.state.Terminated
			if d.ExitCode == nil || *d.ExitCode != ended.ExitCode || !d.FinishedAt.Time.Equal(now) || d.Message != ended.Message ||
				d.State != v1alpha1.DebuggerTerminated {
				t.Errorf("recorded %+v", d)
			}
		}
		t.Run(name, func(t *testing.T) {
			session := admitted(t, fixture.Session(), fixture.Pod())
			check(t, pass(t, about(session, target(debugged(session, tc.state)))))
		})
		if tc.reason == "StartError" { // as a kubelet tells of it that is slow
			t.Run(name+", and waits", func(t *testing.T) {
				session := admitted(t, fixture.Session(), fixture.Pod())
				check(t, pass(t, about(session,
					target(debugged(session, fixture.Waiting("RunContainerError", "failed to create containerd task"), func(p *corev1.Pod) {
						p.Status.EphemeralContainerStatuses[0].LastTerminationState = tc.state
					})))))
			})
		}
		t.Run("copy: "+name, func(t *testing.T) {
			session := admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
			made := copyOf(t, session, fixture.Pod(), fixture.ContainerState(session.Status.Debugger.ContainerName, tc.state))
			check(t, pass(t, about(session, copied(made))))
		})
	}
}

// A session that only changes a copy has no debugger.* to be told of.
func TestRemediesOfAChangedCopy(t *testing.T) {
	for name, state := range map[string]corev1.ContainerState{
		"no such command": fixture.Exited(now, 128, "StartError", `exec: "/nosuch": no such file or directory`),
		"no memory":       fixture.Exited(now, 128, "StartError", "container init was OOM-killed (memory limit too low?)"),
		"no such secret":  fixture.Waiting("CreateContainerConfigError", `secret "nope" not found`),
		"no root":         fixture.Waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(fixture.AsCopy(), func(s *v1alpha1.DebugSession) {
				s.Spec.Debugger = v1alpha1.Debugger{}
				s.Spec.PodCopy = &v1alpha1.PodCopy{Containers: []v1alpha1.ContainerChange{{Name: "app", Command: []string{"/nosuch"}}}}
			})
			session = admitted(t, session, fixture.Pod())
			made := copyOf(t, session, fixture.Pod(), fixture.ContainerState("app", state))
			if said := said(pass(t, about(session, copied(made)))); strings.Contains(said, "debugger.") ||
				!strings.Contains(said, "in podCopy.containers") {
				t.Errorf("says %s", said)
			}
		})
	}
}

// In an ephemeral container the missing shell is the wrapper's; in a copy it is what the session asked for.
func TestNoShell(t *testing.T) {
	state := fixture.Exited(now, 128, "StartError", `exec: "sh": executable file not found in $PATH`)
	session := admitted(t, fixture.Session(), fixture.Pod())
	want{
		outcome: v1alpha1.OutcomeNotStarted,
		says:    "has no shell, which is needed",
	}.check(t, pass(t, about(session, target(debugged(session, state)))))

	session = admitted(t, fixture.Session(fixture.AsCopy()), fixture.Pod())
	made := copyOf(t, session, fixture.Pod(), fixture.ContainerState(session.Status.Debugger.ContainerName, state))
	want{outcome: v1alpha1.OutcomeNotStarted, says: "set debugger.command"}.check(t, pass(t, about(session, copied(made))))
}

// A copy restarts its containers as its target does. The debugger that was left is not the one that runs now.
func TestARestartedDebuggerHasEnded(t *testing.T) {
	session, made := activeCopy(t)
	made.Status.ContainerStatuses[0].LastTerminationState = fixture.Exited(now, 1, "Error", "")
	made.Status.ContainerStatuses[0].State = fixture.Running(now)
	p := pass(t, about(session, copied(made)))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeCompleted, says: "exit code 1"}.check(t, p)
}
