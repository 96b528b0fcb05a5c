package plan

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// unstoppable reports whether the session's debugger runs with nothing around it that ends it. Its session ends as every other
// does, the access first, and tries to stop it: an image that has a shell after all lets it. But it has no hard deadline, and
// where there is no shell it is Ending until the container has exited or its pod is gone.
func (p *pass) unstoppable() bool { return p.spec().Debugger.Unstoppable }

// foundUnstoppable reports whether an earlier pass has tried and found no shell to stop the debugger with. There is no point in
// asking again.
func (p *pass) foundUnstoppable() bool {
	ready := meta.FindStatusCondition(p.Session.Status.Conditions, v1alpha1.ConditionDebuggerReady)
	return p.unstoppable() && ready != nil && ready.Reason == v1alpha1.ReasonUnstoppable
}

// outlast waits for the container's own end, or its pod's. The watch tells of both.
func (p *pass) outlast(container, pod string) {
	message := fmt.Sprintf("container %q in pod %q is unstoppable: access to it is revoked, and the session ends when the container exits or its pod is deleted: kubectl delete pod %s -n %s",
		container, pod, pod, p.Session.Namespace)
	p.warnOnce(v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonUnstoppable, message)
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonUnstoppable, message)
}
