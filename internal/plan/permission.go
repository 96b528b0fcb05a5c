package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"debugsession.dev/operator/api/v1alpha1"
)

// trusted says whether the session's requester is who it says: nothing is done for one that admission did not stamp.
func (p *pass) trusted() bool {
	switch p.Trusted.state {
	case unasked:
		p.ask(CheckSeal{})
	case found:
		if p.Trusted.value == nil {
			return true
		}
		p.reject(*p.Trusted.value)
	case unknown:
		p.unreadable("the proof of who asked", p.Trusted.err)
	case absent, awaited:
	}
	return false
}

// class is the session's class, if there is one and it allows the session; else what is awaited, or the end, is in the
// plan. A class that has changed since the session was found fit can only take away.
func (p *pass) class() *v1alpha1.DebugClass {
	switch p.Class.state {
	case unasked:
		p.ask(ReadClass{Name: p.spec().ClassName})
		return nil
	case absent:
		p.await(v1alpha1.ReasonClassNotFound, fmt.Sprintf("there is no DebugClass %q", p.spec().ClassName))
		return nil
	case unknown:
		p.unreadable(fmt.Sprintf("DebugClass %q", p.spec().ClassName), p.Class.err)
		return nil
	case awaited:
		return nil
	case found:
	}
	switch p.Namespace.state {
	case unasked:
		p.ask(ReadNamespace{})
		return nil
	case unknown:
		p.unreadable(fmt.Sprintf("namespace %q", p.Session.Namespace), p.Namespace.err)
		return nil
	case absent, awaited:
		return nil
	case found:
	}
	refusal := ForbiddenBy(p.Class.value, p.spec(), p.Namespace.value, p.Session.Namespace == p.OperatorNamespace)
	if refusal == nil {
		refusal = narrowed(p.Class.value, p.spec(), p.status().Class)
	}
	if refusal != nil {
		p.reject(*refusal)
		return nil
	}
	return p.Class.value
}

// mayUse asks once more, right before the start, whether the requester may use the class: rights are taken away, too.
func (p *pass) mayUse() bool {
	switch p.MayUse.state {
	case unasked:
		p.ask(CheckUse{})
	case found:
		if p.MayUse.value {
			return true
		}
		p.reject(*refuse(v1alpha1.ReasonUseForbidden,
			"%s may not use class %q in namespace %q; whoever administers it can grant the verb use on it; check with: kubectl auth can-i use debugclasses.debugsession.dev/%s -n %s",
			p.spec().Requester.Username, p.spec().ClassName, p.Session.Namespace, p.spec().ClassName, p.Session.Namespace))
	case unknown:
		p.unreadable("whether the requester may use the class", p.MayUse.err)
	case absent, awaited:
	}
	return false
}

// hasRoom holds the class's limits: one session more than they allow waits.
func (p *pass) hasRoom(class *v1alpha1.DebugClass) bool {
	limits := class.Spec.Limits
	if limits == nil || limits.PerNamespace == 0 && limits.PerRequester == 0 {
		return true
	}
	switch p.Running.state {
	case unasked:
		p.ask(CountRunning{})
		return false
	case unknown:
		p.unreadable("the sessions of the class", p.Running.err)
		return false
	case absent, awaited:
		return false
	case found:
	}
	running := p.Running.value
	var full string
	switch {
	case limits.PerNamespace > 0 && running.InNamespace >= limits.PerNamespace:
		full = fmt.Sprintf("%d sessions of class %q run in namespace %q, and no more may", running.InNamespace, class.Name, p.Session.Namespace)
	case limits.PerRequester > 0 && running.OfRequester >= limits.PerRequester:
		full = fmt.Sprintf("%d sessions of class %q run for %s, and no more may", running.OfRequester, class.Name, p.spec().Requester.Username)
	default:
		return true
	}
	p.await(v1alpha1.ReasonLimitReached, full)
	if p.status().Phase != v1alpha1.PhaseEnded {
		p.wake(p.Now.Add(recheck))
	}
	return false
}

// permitted says whether a session that needs approval has it. Before anybody is asked, the API server is: nobody is
// woken for what it would refuse, and approvers see what it would do.
func (p *pass) permitted(target *subject) bool {
	if p.status().Request == nil {
		p.request(target)
		return false
	}
	return p.approved()
}

// request writes down what approvers are asked for. It is approved only once that is persisted.
func (p *pass) request(target *subject) {
	trial := &pass{Snapshot: p.Snapshot}
	p.status().DeepCopyInto(&trial.plan.Status)
	trial.record(target, begin(p.spec(), p.status().Class, p.Now, p.targetDeadline(target.pod)))
	action, err := trial.build(target, trial.status())
	if err != nil {
		p.cannotBuild(err)
		return
	}
	switch p.Preview.state {
	case unasked:
		p.ask(TryOut{Action: action})
	case found:
		if refusal := p.Preview.value.Refusal; refusal != nil {
			p.reject(*refusal)
			return
		}
		status := p.status()
		status.Target = trial.status().Target
		status.Request = &v1alpha1.RequestStatus{
			Hash:    requestHash(p.spec(), status.Class, target.uid(), action),
			Since:   *timestamp(p.Now),
			Preview: &runtime.RawExtension{Raw: p.Preview.value.Object},
		}
		p.set(v1alpha1.ConditionAdmissible, metav1.ConditionTrue, v1alpha1.ReasonAdmitted,
			fmt.Sprintf("the API server would accept the debugger for %s (%s): see status.request.preview", target, target.uid()))
		p.awaitApproval(tally{}, waitsUntil(status))
		p.event(corev1.EventTypeNormal, v1alpha1.ReasonAwaitingApproval, "waiting for "+status.WaitingFor)
	case absent:
		p.finish(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("%s is gone; nothing was made", target))
	case unknown:
		p.unreadable("what the API server would make of it", p.Preview.err)
	case awaited:
	}
}
