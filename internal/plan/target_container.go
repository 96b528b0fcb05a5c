package plan

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/internal/debugpod"
)

// targetState is where the target's container stands, as its pod tells.
type targetState struct {
	pod    *corev1.Pod
	spec   *corev1.Container
	init   bool
	status corev1.ContainerStatus // empty while the kubelet says nothing of it
}

// readTarget finds the target's container in its pod.
func readTarget(pod *corev1.Pod, name string) targetState {
	named := func(c corev1.Container) bool { return c.Name == name }
	t := targetState{pod: pod, status: statusOf(pod, name)}
	if i := slices.IndexFunc(pod.Spec.Containers, named); i >= 0 {
		t.spec = &pod.Spec.Containers[i]
	} else if i := slices.IndexFunc(pod.Spec.InitContainers, named); i >= 0 {
		t.spec, t.init = &pod.Spec.InitContainers[i], true
	}
	return t
}

// statusOf is what the kubelet says of a container or an init container.
func statusOf(pod *corev1.Pod, name string) corev1.ContainerStatus {
	for _, status := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if status.Name == name {
			return status
		}
	}
	return corev1.ContainerStatus{Name: name}
}

// joinable reports whether the kubelet can start a debugger that names the container as its target. It must run, unless the
// pod's containers share their processes: then it is enough that it was there.
func (t targetState) joinable() bool {
	if t.spec == nil || t.status.State.Running != nil {
		return true
	}
	return !debugpod.Joins(t.pod) && t.lastEnd() != nil
}

// lastEnd is how a container that does not run ended last; nil if it runs, or never has.
func (t targetState) lastEnd() *corev1.ContainerStateTerminated {
	switch {
	case t.status.State.Terminated != nil:
		return t.status.State.Terminated
	case t.status.State.Running == nil:
		return t.status.LastTerminationState.Terminated
	default:
		return nil
	}
}

// finished reports whether the container has ended and is never started again.
func (t targetState) finished() bool {
	ended := t.status.State.Terminated
	return t.spec != nil && ended != nil && !t.restarts(ended.ExitCode) && !mayRestartAll(t.pod)
}

// restarts reports whether the kubelet starts the container again after that exit code: by its own rules, else by its own
// policy, else by its pod's. An init container that succeeded has done its work, unless it is a sidecar.
func (t targetState) restarts(exitCode int32) bool {
	policy := corev1.ContainerRestartPolicy(t.pod.Spec.RestartPolicy)
	if own := t.spec.RestartPolicy; own != nil {
		policy = *own
	}
	if t.init && exitCode == 0 {
		return policy == corev1.ContainerRestartPolicyAlways && t.spec.RestartPolicy != nil
	}
	for i := range t.spec.RestartPolicyRules {
		if matches(&t.spec.RestartPolicyRules[i], exitCode) {
			return true // both actions that there are start it again
		}
	}
	switch policy {
	case corev1.ContainerRestartPolicyNever:
		return false
	case corev1.ContainerRestartPolicyOnFailure:
		return exitCode != 0
	default:
		return true
	}
}

// mayRestartAll reports whether another container's exit may yet have the kubelet start all of the pod's containers again.
func mayRestartAll(pod *corev1.Pod) bool {
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		ended := statusOf(pod, c.Name).State.Terminated
		for i := range c.RestartPolicyRules {
			rule := &c.RestartPolicyRules[i]
			if rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers && (ended == nil || matches(rule, ended.ExitCode)) {
				return true
			}
		}
	}
	return false
}

func matches(rule *corev1.ContainerRestartRule, exitCode int32) bool {
	on := rule.ExitCodes
	return on != nil && slices.Contains(on.Values, exitCode) == (on.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn)
}

func (t targetState) String() string {
	return fmt.Sprintf("container %q of pod %q", t.status.Name, t.pod.Name)
}

// ends says how the container ended last, and how often it was restarted.
func (t targetState) ends(ended *corev1.ContainerStateTerminated) string {
	how := fmt.Sprintf("exit code %d", ended.ExitCode)
	if ended.Reason != "" {
		how = ended.Reason + ", " + how
	}
	switch t.status.RestartCount {
	case 0:
		return how
	case 1:
		return how + "; restarted once"
	default:
		return fmt.Sprintf("%s; restarted %d times", how, t.status.RestartCount)
	}
}

// lookInCopy is what to do about a container that does not stay up for long enough to be debugged.
func (t targetState) lookInCopy() string {
	const copied = "to debug it anyway, apply a session with mode: PodCopy and "
	if t.init {
		return copied + "another command for it in podCopy.containers"
	}
	return copied + fmt.Sprintf("podCopy.quiesce: [{name: %s}], which makes it sleep, or another command for it in podCopy.containers", t.status.Name)
}

// waitsFor says what a container that does not run waits for.
func (t targetState) waitsFor() string {
	if ended := t.lastEnd(); ended != nil {
		return fmt.Sprintf("%s is not running: it ended (%s)", t, t.ends(ended))
	}
	why := waits(t.status)
	if init := t.blockedBy(); init != "" {
		why = init
	}
	if why == "" {
		return fmt.Sprintf("%s has not started yet", t)
	}
	return fmt.Sprintf("%s has not started: %s", t, why)
}

// waits is the kubelet's word on a container that it cannot start; empty if it is on its way.
func waits(status corev1.ContainerStatus) string {
	waiting := status.State.Waiting
	if waiting == nil {
		return ""
	}
	c := container{reason: waiting.Reason, message: waiting.Message}.steady()
	if !c.troubled() {
		return ""
	}
	return strings.TrimSuffix(c.reason+": "+c.message, ": ")
}

// blockedBy says for which init container the kubelet has not got to this one; empty if for none.
func (t targetState) blockedBy() string {
	for i := range t.pod.Spec.InitContainers {
		c := &t.pod.Spec.InitContainers[i]
		if c.Name == t.status.Name {
			return ""
		}
		before := readTarget(t.pod, c.Name)
		state, sidecar := before.status.State, debugpod.IsSidecar(c)
		started := before.status.Started != nil && *before.status.Started
		name := fmt.Sprintf("init container %q", c.Name)
		switch {
		case state.Terminated != nil && state.Terminated.ExitCode == 0, sidecar && state.Running != nil && started:
		case state.Running != nil && sidecar:
			return fmt.Sprintf("it waits for %s, which has been running since %s, but whose startup probe has not succeeded", name, clock(state.Running.StartedAt.Time))
		case state.Running != nil:
			return fmt.Sprintf("it waits for %s, which has been running since %s; to debug that one, name it in spec.target.container", name, clock(state.Running.StartedAt.Time))
		case before.lastEnd() != nil:
			return fmt.Sprintf("it waits for %s, which fails (%s)", name, before.ends(before.lastEnd()))
		default:
			return strings.TrimSuffix(fmt.Sprintf("it waits for %s: %s", name, waits(before.status)), ": ")
		}
	}
	return ""
}
