package plan

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// blindToTarget tells of a debugger that may not look into its target's processes, as the end of a message: it would be told
// "Permission denied" and nothing else.
func (p *pass) blindToTarget(pod *corev1.Pod) string {
	spec := p.spec()
	files := p.mode().targetFiles(pod)
	if files == "" || spec.Debugger.Container != "" || debugpod.OnlyChanges(spec) {
		return ""
	}
	target := cmp.Or(p.status().Target.Container, spec.Target.Container, debugpod.DefaultContainer(pod))
	own, theirs, other := debugpod.OtherUser(pod, p.status().Debugger.ContainerName, target)
	if !other {
		return ""
	}
	remedy := "debugger.runAs: FromTarget"
	if spec.Debugger.RunAs == v1alpha1.RunAsFromTarget || theirs == 0 {
		remedy = "profile: general as root, if the class allows it"
	}
	return fmt.Sprintf("; it runs as user %d and container %q as user %d, so reading that user's processes and files (%s) fails with Permission denied; to read them, apply a new session with %s",
		own, target, theirs, files, remedy)
}
