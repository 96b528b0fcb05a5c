package plan

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
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
func (t targetState) lastEnd() *corev1.ContainerStateTerminated { return diagnosis.LastEnd(&t.status) }

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

// ends says how the container ended, and how often it was restarted.
func (t targetState) ends(ended *corev1.ContainerStateTerminated) string {
	return diagnosis.End(&t.status, ended)
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
	why := diagnosis.WhyWaiting(t.pod, &t.status)
	if why == "" {
		return fmt.Sprintf("%s has not started yet", t)
	}
	return fmt.Sprintf("%s has not started: %s", t, why)
}
