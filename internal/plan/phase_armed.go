package plan

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/plaintext"
	"debugsession.dev/operator/internal/policy"
)

// A session with target.when is settled but for its pod, and then waits for what is to happen: it is armed. What it waits for picks the pod,
// and from then on it is admitted as any other, with all that is asked right before a start. One that is triggered more than once has a member
// for each trigger, which is: triggers.go.

// armedGates arm a session, and look whether what it waits for has happened.
var armedGates = []gate{
	(*pass).notCancelled,
	(*pass).notAfterAhead,
	(*pass).requesterTrusted,
	(*pass).finalizerAdded,
	(*pass).classAllows,
	(*pass).podsWatched,
	(*pass).classGranted,
	(*pass).storable,
	(*pass).approved,
	(*pass).mayArm,
	(*pass).armed,
}

// waitsForTrigger reports whether the session is one that has not been triggered yet.
func (p *pass) waitsForTrigger() bool {
	armed := p.Session.Status.Armed
	return p.spec().Target.When != nil && (armed == nil || armed.TriggeredAt == nil)
}

// podsWatched finds the pods of which the session waits for one. One that stands for all shows whether the session can be at all, and what
// its approvers are to see.
func (p *pass) podsWatched() step {
	if refusal := checkSelector(&p.spec().Target); refusal != nil {
		return reject{refusal}
	}
	armed := p.status().Armed
	if armed == nil {
		selector, stop := need(p.Selector, ResolveSelector{}, p.noCandidates(), unreadable("spec.target.workload"))
		if stop != nil {
			return stop
		}
		armed = &v1alpha1.ArmedStatus{Selector: selector}
	}
	pods, stop := need(p.Watched, WatchPods{Selector: armed.Selector}, pause{}, unreadable("the pods of spec.target"))
	if stop != nil {
		return stop
	}
	p.status().Armed = armed
	p.status().Target = &v1alpha1.TargetStatus{Name: sanitizeText(watchedName(&p.spec().Target), maxText)}
	p.target = &debugTarget{}
	if p.Session.Status.IsArmed() {
		return nil
	}
	likely := slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool {
		return policy.CheckPod(p.Class.value, &pod, pod.Name) != "" || !startsIn(p.spec(), &pod)
	})
	if p.target.pod, _ = choose(&p.spec().Target, p.mode(), likely); p.target.pod == nil {
		return nil
	}
	if refusal := checkTarget(p.spec(), p.target, nil); refusal != nil {
		return reject{refusal}
	}
	return nil
}

// watchedName is what an armed session waits for one of, in short.
func watchedName(target *v1alpha1.Target) string {
	if target.Workload == nil {
		return metav1.FormatLabelSelector(target.Selector)
	}
	return workloadNamed(target.Workload, "").Name
}

// exampleNeeded has a session that needs approval wait for a first pod: approvers are shown what would be made.
func (p *pass) exampleNeeded() step {
	if p.target.pod == nil {
		return wait{reason: v1alpha1.ReasonTargetNotFound, message: fmt.Sprintf(
			"no pod of %s can be debugged yet, and approvers must be shown what would be made for one", watchedName(&p.spec().Target))}
	}
	return p.worthWaiting(p.target.pod)
}

// mayArm asks once what is asked again at the start: nobody is to find out at night that the requester's rights had gone before. From then on
// the session counts in its class's limits.
func (p *pass) mayArm() step {
	if p.Session.Status.IsArmed() {
		return nil
	}
	for _, g := range []gate{(*pass).requesterMayUse, (*pass).requesterMayDeclareEmergency, (*pass).limitsHold} {
		if stop := g(p); stop != nil {
			return stop
		}
	}
	return nil
}

// armed looks whether what the session waits for has happened since it was armed, and arms it before.
func (p *pass) armed() step {
	armed := p.status().Armed
	if armed.Since == nil {
		armed.Since = timestamp(p.Now)
	}
	seen := p.survey()
	if seen.first == nil {
		return waitArmed{seen}
	}
	if p.spec().Target.Times() > 0 {
		return p.firstTriggered(seen.first)
	}
	armed.TriggeredAt = timestamp(p.Now)
	target := podNamed(seen.first.pod.Name)
	target.PodUID = seen.first.pod.UID
	p.chosen(target, sanitizeMessage(seen.first.what))
	p.event(corev1.EventTypeWarning, v1alpha1.ReasonTriggered, seen.first.what)
	return pause{}
}

// survey looks among the pods of an armed session for what it waits for.
func (p *pass) survey() survey {
	return lookFor(p.Class.value, p.spec(), p.status(), p.Watched.value, p.Now)
}

// waitArmed has a session that is settled wait for what it is armed for. Its pods' watch tells of a crash; a time, of what has not been ready.
type waitArmed struct{ seen survey }

func (s waitArmed) take(p *pass) {
	message := p.awaiting(s.seen)
	p.status().Obstacle = nil
	if p.news(v1alpha1.ConditionAdmissible, v1alpha1.ReasonArmed) {
		p.event(corev1.EventTypeNormal, v1alpha1.ReasonArmed, message)
	}
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionTrue, v1alpha1.ReasonArmed, message)
	p.stand(v1alpha1.PhasePending, v1alpha1.ReasonArmed, message)
}

// awaiting says what an armed session waits for, and has it woken when that may be.
func (p *pass) awaiting(seen survey) string {
	which := ""
	if times := p.spec().Target.Times(); times > 0 {
		which = fmt.Sprintf(" for trigger %d of %d,", len(p.status().Members)+1, times)
	}
	message := fmt.Sprintf("waiting%s until %s; pods watched: %d", which, triggerOf(&p.spec().Target), seen.pods)
	if at := p.spec().NotAfter; at != nil {
		message += "; until " + plaintext.Clock(at.Time)
		p.wake(at.Time)
	}
	if missed := seen.missed; missed != nil {
		message += fmt.Sprintf("; passed over, as no debugger can be started in it: %s; mode: PodCopy would copy it", missed.what)
	}
	if !seen.next.IsZero() {
		p.wake(seen.next)
	}
	return message
}

// triggerOf is what an armed session waits for.
func triggerOf(target *v1alpha1.Target) string {
	pod := fmt.Sprintf("a pod of %s", watchedName(target))
	if target.Workload == nil {
		pod = fmt.Sprintf("a pod with %s", watchedName(target))
	}
	switch {
	case target.When.NotReadyFor != nil:
		return fmt.Sprintf("%s has not been ready for %s", pod, v1alpha1.FormatDuration(target.When.NotReadyFor.Duration))
	case target.Container != "":
		return fmt.Sprintf("container %q of %s crashes", target.Container, pod)
	default:
		return pod + " crashes"
	}
}

// notTriggered ends an armed session whose notAfter has passed. That nothing happened is no failure.
func (p *pass) notTriggered() step {
	return markEnded{v1alpha1.OutcomeExpired, v1alpha1.ReasonNotTriggered, fmt.Sprintf("spec.notAfter (%s) has passed, and it was not seen that %s; nothing was started",
		plaintext.Clock(p.spec().NotAfter.Time), triggerOf(&p.spec().Target))}
}

// disarmed ends an armed session whose approval was taken back.
func (p *pass) disarmed(t approval.Tally) step {
	p.status().Approvals, p.status().ApprovedBy = p.Session.Status.Approvals, p.Session.Status.ApprovedBy // what it was armed on is part of the record
	why := removed(p.Session.Status.Approvals, t.Approvals)
	p.revoke(why)
	return markEnded{v1alpha1.OutcomeRevoked, string(v1alpha1.OutcomeRevoked), why + "; nothing was created"}
}

// ofAnyPod reports whether approvers are shown one pod that stands for others: those that may crash, or all that are debugged.
func (p *pass) ofAnyPod() bool { return p.spec().Target.When != nil || p.spec().HasMembers() }

// approvedUID is the target's UID as far as it is approved: an armed session is approved for whichever pod it will be.
func (p *pass) approvedUID(target *debugTarget) types.UID {
	if p.ofAnyPod() {
		return ""
	}
	return target.uid()
}

// payload is what of an action is approved.
func (p *pass) payload(making Action, target *debugTarget) approval.Payload {
	made := payload(making)
	if p.ofAnyPod() {
		return made.OfAny(target.pod)
	}
	return made
}

// armedUntriggered reports whether an armed session's time is up without anything to be said against it.
func (p *pass) armedUntriggered() bool {
	return p.waitsForTrigger() && p.Session.Status.IsArmed() && p.status().Obstacle == nil
}
