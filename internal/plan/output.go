package plan

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// maxOutput is how many characters of a debugger's output are kept.
const maxOutput = 1024

// completed ends a session whose debugger has ended by itself, with the end of what it wrote if nobody was there to see it.
// That this cannot be read keeps nothing from ending.
func (p *pass) completed(c container, pod *corev1.Pod) {
	message := fmt.Sprintf("the debugger ended with exit code %d", c.ended.ExitCode)
	if p.wantsOutput() {
		switch p.Output.state {
		case unasked:
			p.ask(ReadOutput{Pod: p.podName(pod.Name), Container: p.status().Debugger.ContainerName, Previous: c.again})
			return
		case found:
			p.status().Debugger.Output = lastOf(p.Output.value, maxOutput)
		case unknown:
			message += fmt.Sprintf("; what it wrote cannot be read: %v", p.Output.err)
		case absent, awaited:
		}
	}
	p.end(v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited, message)
}

// wantsOutput says whether the debugger is one that only does its work and reports, and whether its report may be shown.
func (p *pass) wantsOutput() bool {
	return !p.spec().Debugger.Stdin && slices.Contains(p.status().Class.AccessVerbs, v1alpha1.AccessLogs)
}

// lastOf returns the last n characters of a text, without what is not text.
func lastOf(text string, n int) string {
	characters := []rune(strings.ToValidUTF8(strings.TrimSpace(text), ""))
	return string(characters[max(len(characters)-n, 0):])
}
