package plan

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/policy"
)

// A copy can be made of what does not run: of a workload that has no pods and wants none, by its pod template. That the template is
// copied is written down as a choice is, and does not change when there are pods later.

// mayCopyTemplate reports whether the session may be about a pod template: who says which pod is to be chosen wants a pod.
func (p *pass) mayCopyTemplate() bool {
	target := &p.spec().Target
	return p.spec().Mode == v1alpha1.ModePodCopy && target.Workload != nil && target.Pick == ""
}

// copiesTemplate reports whether it was chosen.
func (p *pass) copiesTemplate() bool {
	return p.status().Target != nil && p.status().Target.WorkloadUID != ""
}

// hasPods reports whether a workload has pods of its own: a copy that kept the labels is none.
func hasPods(pods []corev1.Pod) bool {
	return slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return madeBySession(&pod) == nil })
}

// chooseTemplate writes down that the workload's pod template is copied, if the workload wants no pods. If it does they will come.
func (p *pass) chooseTemplate(nothing wait) step {
	template, stop := need(p.Template, ReadTemplate{}, nothing, unreadable("the pod template of spec.target.workload"))
	switch {
	case stop != nil:
		return stop
	case template.Pod == nil || !template.Idle:
		return nothing
	}
	target := workloadNamed(p.spec().Target.Workload, template.Pod.UID)
	p.chosen(target, fmt.Sprintf("the pod template of %s, which has no pods and wants none", debugTarget{workload: p.spec().Target.Workload}))
	return pause{}
}

// findTemplate finds the pod template that was chosen, and sees that it can be copied.
func (p *pass) findTemplate() (*debugTarget, step) {
	recorded, workload := p.status().Target, p.spec().Target.Workload
	gone := func(why string) step {
		return markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), why + "; nothing was created"}
	}
	target := &debugTarget{workload: workload}
	template, stop := need(p.Template, ReadTemplate{}, gone(fmt.Sprintf("%s is gone", target)), unreadable(target.String()))
	switch {
	case stop != nil:
		return nil, stop
	case template.Pod == nil:
		return nil, gone(fmt.Sprintf("%s has no pod template any more", target))
	case template.Pod.UID != recorded.WorkloadUID:
		return nil, gone(workloadReplaced(recorded, template.Pod.UID))
	}
	target.pod = template.Pod
	if why := policy.CheckPod(p.Class.value, target.pod, target.String()); why != "" {
		return nil, reject{classForbids(why)}
	}
	if refusal := checkTemplate(p.spec(), target); refusal != nil {
		return nil, reject{refusal}
	}
	return target, nil
}

// checkTemplate says why the template cannot be copied as the session asks, or nil.
func checkTemplate(spec *v1alpha1.DebugSessionSpec, target *debugTarget) *Refusal {
	switch {
	case debugpod.Replaces(spec) != "":
		return refuse(v1alpha1.ReasonInvalid, "spec.podCopy.replaceOriginal: %s has no pod that could be replaced; remove replaceOriginal", target)
	case spec.PodCopy != nil && spec.PodCopy.SameNode:
		return refuse(v1alpha1.ReasonInvalid, "spec.podCopy.sameNode: %s has no pod, and so no node; remove sameNode", target)
	}
	return checkTarget(spec, target, nil)
}

// pinnedTemplate is the pod template of the workload that was recorded, and of no other of its name.
func (p *pass) pinnedTemplate() (*debugTarget, step) {
	recorded, target := p.status().Target, &debugTarget{workload: p.spec().Target.Workload}
	template, stop := need(p.Template, ReadTemplate{}, nil, retryReading(target.String()))
	switch {
	case stop != nil:
		return nil, stop
	case template == nil || template.Pod == nil:
		return nil, p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("%s is gone", target))
	case template.Pod.UID != recorded.WorkloadUID:
		return nil, p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), workloadReplaced(recorded, template.Pod.UID))
	}
	target.pod = template.Pod
	return target, nil
}

func workloadNamed(workload *v1alpha1.Workload, uid types.UID) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{Name: strings.ToLower(workload.Kind) + "/" + workload.Name, WorkloadUID: uid}
}

func workloadReplaced(recorded *v1alpha1.TargetStatus, now types.UID) string {
	return fmt.Sprintf("%s was replaced: the session is for UID %s, and it now has UID %s", recorded.Name, recorded.WorkloadUID, now)
}

// chosen writes down what is to be debugged. The next pass looks at it.
func (p *pass) chosen(target *v1alpha1.TargetStatus, why string) {
	p.status().Target = target
	p.status().Target.Choice = why
	p.status().Obstacle = nil
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionUnknown, v1alpha1.ReasonTargetChosen, "chosen: "+why)
	p.stand(v1alpha1.PhasePending, v1alpha1.ReasonTargetChosen, "chosen: "+why)
}
