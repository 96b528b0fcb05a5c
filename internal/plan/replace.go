package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
)

// checkReplace refuses to delete a pod that would be made again, unless the session says so.
func checkReplace(spec *v1alpha1.DebugSessionSpec, pod *corev1.Pod) *Refusal {
	how := debugpod.Replaces(spec)
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror && how != "" {
		return refuse(v1alpha1.ReasonTargetIsMirrorPod,
			"spec.podCopy.replaceOriginal: pod %q is a static pod, which the kubelet recreates; remove replaceOriginal", pod.Name)
	}
	if owner := metav1.GetControllerOf(pod); how == v1alpha1.ReplaceIfUncontrolled && owner != nil {
		return refuse(v1alpha1.ReasonInvalid,
			"spec.podCopy.replaceOriginal: pod %q is controlled by %s %q, which recreates it; remove replaceOriginal, or set it to Always", pod.Name, owner.Kind, owner.Name)
	}
	return nil
}

// originalReplaced deletes the target when its copy runs, or cannot be placed for what the target may hold: a port of the
// node, a volume, room. A copy whose image cannot be pulled, or that no node would take, costs nobody their pod. It is the
// only thing that its pass does, so that what is written down of it is so.
func (p *pass) originalReplaced(c container) step {
	status := p.status()
	if p.approvalsUnknown || debugpod.Replaces(p.spec()) == "" || status.Target.ReplacedAt != nil {
		return nil
	}
	if status.Phase != v1alpha1.PhaseActive && (status.Phase != v1alpha1.PhaseStarting || c.reason != v1alpha1.ReasonUnschedulable || !diagnosis.HeldByTarget(c.message)) {
		return nil
	}
	if len(p.plan.Actions) > 0 {
		p.wake(p.Now)
		return nil
	}
	if !p.DebuggerPod.fresh { // a cache may show a copy that somebody has just deleted
		return ask{ReadDebuggerPod{Name: status.Debugger.PodName, Fresh: true}}
	}
	p.do(ReplaceOriginal{Pod: p.podName(status.Target.PodName), UID: status.Target.PodUID})
	status.Target.ReplacedAt = timestamp(p.Now)
	p.event(corev1.EventTypeNormal, v1alpha1.ReasonReplaced, fmt.Sprintf("deleting original pod %q (%s) to replace it with copy %q", status.Target.PodName, status.Target.PodUID, status.Debugger.PodName))
	return nil
}

// concludeReplacing takes back what was not done. That the target has gone already is as well.
func (p *pass) concludeReplacing(result Result) {
	err := result.Err
	if result.Refusal != nil {
		err = result.Refusal
	}
	if err == nil {
		return
	}
	p.status().Target.ReplacedAt, p.plan.Events = p.Session.Status.Target.ReplacedAt, nil
	p.event(corev1.EventTypeWarning, v1alpha1.ReasonRetrying, fmt.Sprintf("deleting the original pod %q failed, retrying: %v", p.status().Target.PodName, err))
	p.backOff(fmt.Errorf("deleting the original pod %q: %w", p.status().Target.PodName, err))
}
