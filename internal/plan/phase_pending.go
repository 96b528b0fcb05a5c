package plan

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plaintext"
	"debugsession.dev/operator/internal/policy"
)

// pendingGates admit a session. They make nothing: the last records what will be made, and the next pass, which sees that recorded,
// makes it.
var pendingGates = []gate{
	(*pass).notCancelled,
	(*pass).notAfterAhead,
	(*pass).requesterTrusted,
	(*pass).finalizerAdded,
	(*pass).classAllows,
	(*pass).targetFits,
	(*pass).classGranted,
	(*pass).storable,
	(*pass).approved,
	(*pass).targetJoinable,
	(*pass).requesterMayUse,
	(*pass).requesterMayReachPod,
	(*pass).requesterMayDeclareEmergency,
	(*pass).nameFree,
	(*pass).limitsHold,
	(*pass).pinned,
}

func (p *pass) notCancelled() step {
	if how, yes := p.endAsked(); yes {
		return markEnded{v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated), how + " before it started; nothing was created"}
	}
	return nil
}

func (p *pass) finalizerAdded() step {
	if !p.hasFinalizer() {
		p.do(AddFinalizer{})
	}
	return nil
}

// classGranted writes down what the class gives the session, once, and takes away from that what the class does not allow any more.
func (p *pass) classGranted() step {
	class, status := p.Class.value, p.status()
	granted := status.Class
	anew := granted == nil || granted.ApprovalsRequired > 0 && granted.ApprovalTimeout == nil
	switch {
	case anew && p.isMember():
		status.Class = p.parent.Status.Class.DeepCopy()
	case anew:
		status.Class, status.Request = policy.Grant(class, p.spec()), nil // who approved it approved what was granted then
	}
	if anew || p.ofAnyPod() { // when it was armed there may have been no pod yet
		if stop := p.keptImageGranted(); stop != nil {
			return stop
		}
	}
	status.Class.Allows = policy.Lessen(status.Class.Allows, class)
	if class.Spec.Audit == v1alpha1.AuditRequired {
		status.Class.Audit = v1alpha1.AuditRequired // also if it was not when it was granted
	}
	status.Class.Transcript = p.transcriptGranted(status.Class.Transcript, class.Spec.Transcript)
	return nil
}

// keptImageGranted grants a container of the copy the image that it has in the target, if there is that yet.
func (p *pass) keptImageGranted() step {
	if p.target.pod == nil {
		return nil
	}
	if why := policy.GrantKeptImage(p.status().Class, p.Class.value, p.spec(), p.target.pod); why != "" {
		return reject{classForbids(why)}
	}
	return nil
}

// nameFree sees that no pod has the name that the session has chosen for its copy. A pod that is there before the copy can be made
// is not the copy, whatever somebody has written into its metadata.
func (p *pass) nameFree() step {
	name := chosenName(p.spec())
	if name == "" {
		return nil // one that is made of the session's UID is nobody else's
	}
	pod, stop := need(p.DebuggerPod, ReadDebuggerPod{Name: name, Fresh: true}, nil, unreadable(fmt.Sprintf("pod %q", name)))
	if stop == nil && pod != nil {
		return reject{NameTaken(name)}
	}
	return stop
}

// targetFits finds what to debug, and sees that it can be debugged.
func (p *pass) targetFits() step {
	var stop step
	p.target, stop = p.mode().find(p)
	return stop
}

// findPod finds the pod to debug, and sees that it can be, as far as that is the same in each mode.
func (p *pass) findPod(refuseInMode func(*corev1.Pod) *Refusal) (*debugTarget, step) {
	if refusal := checkSelector(&p.spec().Target); refusal != nil {
		return nil, reject{refusal}
	}
	pod, stop := p.targetPod()
	if stop != nil {
		return nil, stop
	}
	if recorded := p.status().Target; recorded != nil && recorded.PodUID != "" && recorded.PodUID != pod.UID {
		if !p.Target.fresh {
			return nil, ask{ReadTarget{Name: pod.Name, Fresh: true}}
		}
		return nil, markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), replaced(recorded, pod)}
	}
	target := &debugTarget{pod: pod}
	if why := policy.CheckPod(p.Class.value, pod, target.String()); why != "" {
		return nil, reject{classForbids(why)}
	}
	if refusal := checkTarget(p.spec(), target, refuseInMode); refusal != nil {
		return nil, reject{refusal}
	}
	if stop := p.ownedByNoSession(pod); stop != nil {
		return nil, stop
	}
	return target, nil
}

// targetPod is the pod to debug.
func (p *pass) targetPod() (*corev1.Pod, step) {
	name := p.spec().Target.PodName
	if name == "" && p.status().Target != nil {
		name = p.status().Target.PodName
	}
	if name == "" {
		return nil, p.chooseTarget()
	}
	pod, stop := need(p.Target, ReadTarget{Name: name}, nil, unreadable(fmt.Sprintf("pod %q", name)))
	if stop != nil || pod != nil {
		return pod, stop
	}
	if recorded := p.status().Target; recorded != nil && recorded.PodUID != "" {
		return nil, markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("pod %q is gone; nothing was created", name)}
	}
	if p.status().Target != nil && p.spec().Target.PodName == "" {
		p.status().Target = nil // the chosen pod went before it was recorded: choose again
	}
	return nil, wait{reason: v1alpha1.ReasonTargetNotFound, message: fmt.Sprintf("there is no pod %q in namespace %q", name, p.Session.TargetNamespace())}
}

// chooseTarget writes down which of the candidates is to be debugged. The next pass watches it.
func (p *pass) chooseTarget() step {
	nothing := p.noCandidates()
	pods, stop := need(p.Candidates, ListCandidates{}, nothing, unreadable("the pods of spec.target"))
	if stop != nil {
		return stop
	}
	pod, why := choose(&p.spec().Target, p.mode(), pods)
	if pod != nil {
		p.chosen(podNamed(pod.Name), why)
		return pause{}
	}
	if !p.Candidates.fresh {
		return ask{ListCandidates{Fresh: true}}
	}
	nothing.message = unsuitable(p.spec(), len(pods))
	if !hasPods(pods) && p.mayCopyTemplate() {
		return p.chooseTemplate(nothing)
	}
	return nothing
}

// noCandidates has a session wait for its workload, or for a pod that its selector selects.
func (p *pass) noCandidates() wait {
	return wait{
		reason: v1alpha1.ReasonTargetNotFound, recheck: true, // there is no single pod to watch
		message: fmt.Sprintf("there is no %s in namespace %q", selected(&p.spec().Target), p.Session.Namespace),
	}
}

// selected is what is missing when there are no candidates at all.
func selected(target *v1alpha1.Target) string {
	if target.Workload == nil {
		return "pod that matches spec.target.selector"
	}
	return fmt.Sprintf("%s %q", target.Workload.Kind, target.Workload.Name)
}

// recordNamedTarget writes down what a session that waits is for, as far as it says itself.
func (p *pass) recordNamedTarget() {
	if p.status().Target != nil {
		return
	}
	switch target := &p.spec().Target; {
	case target.IsPodNetwork():
		p.status().Target = networkNamed(target)
	case target.PodName != "":
		p.status().Target = podNamed(target.PodName)
	case target.NodeName != "":
		p.status().Target = nodeNamed(target.NodeName, "")
	case target.VolumeClaim != nil:
		p.status().Target = claimNamed(target.VolumeClaim.Name, "")
	case target.Image != "":
		p.status().Target = imageNamed(policy.TargetImage(p.spec()))
	}
}

// waitingSince is since when the session has waited without a break.
func (p *pass) waitingSince() time.Time {
	since := meta.FindStatusCondition(p.Session.Status.Conditions, v1alpha1.ConditionAdmissible)
	if since == nil || since.Status != metav1.ConditionFalse {
		return p.Now
	}
	return since.LastTransitionTime.Time
}

// pinned records what will be made, for whom, and by when it will be over.
func (p *pass) pinned() step {
	if p.spec().HasMembers() {
		return p.membersPinned()
	}
	target, status := p.target, p.status()
	deadline := p.targetDeadline(target.pod)
	life := begin(p.spec(), status.Class, p.startsWith(), p.Now, deadline)
	if !life.hard.After(life.started) && deadline != nil {
		return reject{overdue(target.pod)}
	}
	p.record(target, life)
	p.beginReview()

	// Built once here, only to see whether it can be, and whether it is what was approved.
	action, err := p.buildApproved(target, status)
	if err != nil {
		p.unpin()
		return cannotBuild(err)
	}
	if stop := p.mode().warn(p, target, action); stop != nil {
		return stop
	}
	p.warnOfNoTranscript()
	status.Access = &v1alpha1.AccessStatus{Name: debugpod.AccessName(p.Session.UID), Subjects: policy.AccessSubjects(p.spec())}
	p.admitted()
	status.Obstacle = nil
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, v1alpha1.MessageStarting)
	p.stand(v1alpha1.PhaseStarting, v1alpha1.ReasonStarting, v1alpha1.MessageStarting)
	return nil
}

// admitted says what may be debugged, and until when: again whenever the end moves.
func (p *pass) admitted() {
	if times := p.spec().Target.Times(); times > 0 {
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionTrue, v1alpha1.ReasonAdmitted,
			fmt.Sprintf("pods of %s may be debugged %d times until %s", watchedName(&p.spec().Target), times, plaintext.Clock(p.status().ExpiresAt.Time)))
		return
	}
	if p.spec().HasMembers() {
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionTrue, v1alpha1.ReasonAdmitted,
			fmt.Sprintf("%d pods of %s may be debugged until %s", len(p.status().Members), watchedName(&p.spec().Target), plaintext.Clock(p.status().ExpiresAt.Time)))
		return
	}
	target, what, uid := p.status().Target, "pod", p.status().Target.PodUID
	name := target.PodName
	switch {
	case target.Image != "":
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionTrue, v1alpha1.ReasonAdmitted,
			fmt.Sprintf("image %q may be debugged until %s", target.Image, plaintext.Clock(p.status().ExpiresAt.Time)))
		return
	case target.ClaimUID != "":
		what, name, uid = "PersistentVolumeClaim", p.spec().Target.VolumeClaim.Name, target.ClaimUID
	case target.PodNamespace != "":
		what, name = "the network of pod", target.PodNamespace+"/"+target.PodName
	case target.NodeUID != "":
		what, name, uid = "node", target.NodeName, target.NodeUID
	case target.WorkloadUID != "":
		what, name, uid = "a copy of the pod template of", target.Name, target.WorkloadUID
	}
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionTrue, v1alpha1.ReasonAdmitted,
		fmt.Sprintf("%s %q (%s) may be debugged until %s%s", what, name, uid, plaintext.Clock(p.status().ExpiresAt.Time), p.becauseOfTarget()))
}

// record writes down what is debugged, the debugger's names and the times.
func (p *pass) record(target *debugTarget, life lifetime) {
	status := p.status()
	choice := ""
	if status.Target != nil {
		choice = status.Target.Choice
	}
	status.Target = target.status()
	status.Target.Choice, status.Target.Deadline = choice, p.targetDeadline(target.pod)
	status.Debugger = &v1alpha1.DebuggerStatus{ContainerName: debugpod.DebuggerName(p.Session, target.pod)}
	p.mode().record(p, target, life)
	status.StartedAt, status.ExpiresAt = timestamp(life.started), timestamp(life.expires)
	p.planEndWarning()
	if !p.unstoppable() {
		status.HardDeadline = timestamp(life.hard)
	}
}

func (p *pass) unpin() {
	status := p.status()
	status.Debugger, status.StartedAt, status.ExpiresAt, status.HardDeadline, status.NextEndWarning, status.Review = nil, nil, nil, nil, nil, nil
}
