package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
)

// maxOutput is how many characters of a debugger's output are kept.
const maxOutput = 1024

// atOnce is how long a command may take to end that has nothing to do, on a node that is busy.
const atOnce = 30 * time.Second

// completed ends a session whose debugger has ended by itself, with the end of what it wrote if nobody was there to see it.
// That this cannot be read keeps nothing from ending.
func (p *pass) completed(c container, pod *corev1.Pod) step {
	unread := ""
	if p.wantsOutput() {
		switch p.Output.state {
		case unasked:
			read := ReadOutput{Pod: p.podName(pod.Name), Container: p.status().Debugger.ContainerName}
			if makesPod(p.spec()) && pod.Spec.RestartPolicy != corev1.RestartPolicyNever {
				read.Ended = c.ended.FinishedAt.Time
			}
			return ask{read}
		case found:
			p.status().Debugger.Output = sanitizeText(strings.TrimSpace(p.Output.value), maxOutput)
		case unknown:
			unread = fmt.Sprintf("; its output cannot be read: %v", p.Output.err)
		case absent, awaited:
		}
	}
	if diagnosis.KilledForMemory(c.ended) {
		return p.end(v1alpha1.OutcomeFailed, diagnosis.OOMKilled, p.lostForMemory(c, pod)+unread)
	}
	message := fmt.Sprintf("the debugger ended with exit code %d", c.ended.ExitCode)
	switch {
	case c.ended.ExitCode == debugpod.ExitSwept && strings.Contains(c.ended.Message, debugpod.WatchdogLost):
		message += ": its time limit ended it early, since its watchdog was lost: no process could be started for it, or somebody killed it"
	case c.ended.Reason == diagnosis.OOMKilled:
		message += "; one of its processes ran out of memory (OOMKilled) before that: " + diagnosis.MemoryLimit(p.spec(), pod, p.status().Debugger.ContainerName)
	case c.ended.ExitCode == 0 && c.ended.FinishedAt.Sub(c.ended.StartedAt.Time) <= atOnce && p.status().Debugger.Output == "":
		message += wantOfInput(p.spec())
	}
	return p.end(v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited, message+unread)
}

// wantsOutput reports whether the debugger is one that only does its work and reports, and whether its report may be shown.
func (p *pass) wantsOutput() bool {
	return !p.spec().Debugger.Stdin && slices.Contains(p.status().Class.AccessVerbs, v1alpha1.AccessLogs)
}
