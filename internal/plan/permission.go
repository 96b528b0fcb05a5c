package plan

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/policy"
)

// requesterTrusted sees that the session's requester is who it says: nothing is done for one that admission did not stamp. That it was
// verified is recorded, as nobody can find out any more once the policy that the API server held it against is another.
func (p *pass) requesterTrusted() step {
	if p.isMember() {
		return p.parentVouches()
	}
	refusal, stop := need(p.Trusted, CheckSeal{}, pause{}, unreadable("the seal of spec.requester"))
	switch {
	case stop != nil:
		return stop
	case refusal != nil:
		return reject{refusal}
	}
	if p.status().RequesterVerifiedAt == nil {
		p.status().RequesterVerifiedAt = timestamp(p.Now)
	}
	return nil
}

// classAllows sees that there is the session's class, and that it allows the session. A class that has changed since the session
// was found fit can only take away.
func (p *pass) classAllows() step {
	why, stop := p.forbiddenByClass(wait{reason: v1alpha1.ReasonClassNotFound, message: p.noClass()}, unreadable)
	if stop == nil && why != "" {
		return reject{classForbids(why)}
	}
	return stop
}

// forbiddenByClass is why the session's class does not allow it; empty if it does.
func (p *pass) forbiddenByClass(missing step, ifUnknown func(what string) func(error) step) (why string, stop step) {
	name := p.spec().ClassName
	class, stop := need(p.Class, ReadClass{Name: name}, missing, ifUnknown(fmt.Sprintf("DebugClass %q", name)))
	if stop != nil {
		return "", stop
	}
	if class == nil {
		return p.noClass(), nil
	}
	namespace, stop := need(p.Namespace, ReadNamespace{}, pause{}, ifUnknown(fmt.Sprintf("namespace %q", p.Session.Namespace)))
	if stop != nil {
		return "", stop
	}
	why = policy.Check(class, p.Session, namespace, p.Session.Namespace == p.OperatorNamespace)
	if why == "" {
		why = policy.Revalidate(class, p.spec(), p.status().Class)
	}
	return why, nil
}

func (p *pass) noClass() string { return fmt.Sprintf("there is no DebugClass %q", p.spec().ClassName) }

// classForbids refuses what the session's class does not allow.
func classForbids(why string) *Refusal {
	return &Refusal{Reason: v1alpha1.ReasonClassForbids, Message: why}
}

// permissionHolds is how long what admission was told of the requester's permission, right before the session was stored, is relied on for
// a session that waits for no approval.
const permissionHolds = 10 * time.Second

// requesterMayUse asks once more, right before the start, the requester's permission to use the class: rights are taken away, too. For a
// member that is made as soon as its session starts, that was asked.
func (p *pass) requesterMayUse() step {
	age := p.Now.Sub(p.Session.CreationTimestamp.Time)
	askedNow := p.status().Class.ApprovalsRequired == 0
	if p.isMember() {
		askedNow = p.parent.Spec.Target.All != nil
	}
	if askedNow && age >= 0 && age < permissionHolds {
		return nil
	}
	may, stop := need(p.MayUse, CheckUse{}, pause{}, unreadable("the requester's permission to use the class"))
	if stop == nil && !may {
		return reject{refuse(v1alpha1.ReasonUseForbidden,
			"%s may not use class %q in namespace %q; ask an administrator to grant the verb use on it; check with: kubectl auth can-i use debugclasses.debugsession.dev/%s -n %s",
			p.spec().Requester.Username, p.spec().ClassName, p.Session.Namespace, p.spec().ClassName, p.Session.Namespace)}
	}
	return stop
}

// limitsHold holds the class's limits: one session more than they allow waits.
func (p *pass) limitsHold() step {
	class := p.Class.value
	limits := class.Spec.Limits
	if limits == nil || limits.PerNamespace == 0 && limits.PerRequester == 0 || p.isMember() { // its session counts for it
		return nil
	}
	running, stop := need(p.Running, CountRunning{}, pause{}, unreadable("the sessions of the class"))
	if stop != nil {
		return stop
	}
	full := wait{reason: v1alpha1.ReasonLimitReached, recheck: true}
	more, what := int32(max(1, len(p.pods))), "pods" // 50 at most
	if times := p.spec().Target.Times(); times > 0 {
		more, what = times, "triggers" // it is sure to have room at each
	}
	least := slices.Min(slices.DeleteFunc([]int32{limits.PerNamespace, limits.PerRequester}, func(limit int32) bool { return limit == 0 }))
	switch {
	case more > least:
		return reject{refuse(v1alpha1.ReasonLimitReached, "%d pods would be debugged, and class %q allows %d sessions at once (limits.perNamespace, limits.perRequester); "+
			"ask for fewer %s, and apply a new session", more, class.Name, least, what)}
	case more > 1 && limits.PerNamespace > 0 && running.InNamespace+more > limits.PerNamespace:
		full.message = fmt.Sprintf("%d sessions of class %q run in namespace %q, and with %d %s there would be more than its limits.perNamespace, %d",
			running.InNamespace, class.Name, p.Session.Namespace, more, what, limits.PerNamespace)
	case more > 1 && limits.PerRequester > 0 && running.OfRequester+more > limits.PerRequester:
		full.message = fmt.Sprintf("%d sessions of class %q run for %s, and with %d %s there would be more than its limits.perRequester, %d",
			running.OfRequester, class.Name, p.spec().Requester.Username, more, what, limits.PerRequester)
	case limits.PerNamespace > 0 && running.InNamespace >= limits.PerNamespace:
		full.message = fmt.Sprintf("%d sessions of class %q run in namespace %q, the most that its limits.perNamespace allows", running.InNamespace, class.Name, p.Session.Namespace)
	case limits.PerRequester > 0 && running.OfRequester >= limits.PerRequester:
		full.message = fmt.Sprintf("%d sessions of class %q run for %s, the most that its limits.perRequester allows", running.OfRequester, class.Name, p.spec().Requester.Username)
	default:
		return nil
	}
	return full
}

// requested writes down what approvers are asked for. It is approved only once that is persisted. Before anybody is asked, the API
// server is: nobody is woken for what it would refuse, and approvers see what it would do.
func (p *pass) requested() step {
	if p.waitsForTrigger() {
		if stop := p.exampleNeeded(); stop != nil {
			return stop
		}
	}
	target := p.target
	trial, action, err := p.tryBuild(target)
	if err != nil {
		return cannotBuild(err)
	}
	missing := step(markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("%s is gone; nothing was created", target)})
	if p.ofAnyPod() {
		missing = wait{reason: v1alpha1.ReasonTargetNotFound, message: fmt.Sprintf("%s is gone, and stood for all that may be debugged", target)}
	}
	preview, stop := need(p.Preview, DryRun{Action: action}, missing, unreadable("the API server's dry run"))
	switch {
	case stop != nil:
		return stop
	case preview.Refusal != nil:
		return reject{preview.Refusal}
	}
	status := p.status()
	if !p.ofAnyPod() {
		status.Target = trial.status().Target
	}
	status.Request = &v1alpha1.RequestStatus{
		Hash:    approval.RequestHash(p.HashKey, p.spec(), status.Class, p.approvedUID(target), p.payload(action, target)),
		Since:   *timestamp(p.Now),
		Preview: &runtime.RawExtension{Raw: preview.Object},
		Hidden:  preview.Hidden,
	}
	p.set(v1alpha1.ConditionAdmissible, metav1.ConditionTrue, v1alpha1.ReasonAdmitted,
		fmt.Sprintf("the API server would accept the debugger for %s: see status.request.preview%s", target.identified(), hiddenIn(status.Request)))
	p.awaitApproval(approval.Tally{}, approval.Deadline(status))
	p.event(corev1.EventTypeNormal, v1alpha1.ReasonAwaitingApproval, "waiting for "+status.WaitingFor)
	return pause{}
}

// tryBuild builds what would be made now, and records nothing.
func (p *pass) tryBuild(target *debugTarget) (*pass, Action, error) {
	trial := &pass{Snapshot: p.Snapshot}
	p.status().DeepCopyInto(&trial.plan.Status)
	trial.record(target, begin(p.spec(), p.status().Class, p.ttl(), p.Now, p.targetDeadline(target.pod)))
	action, err := trial.build(target, trial.status())
	return trial, action, err
}

// hiddenIn tells an approver that the preview does not show all.
func hiddenIn(request *v1alpha1.RequestStatus) string {
	if len(request.Hidden) == 0 {
		return ""
	}
	return ", without the values that status.request.hidden lists; the hash covers them"
}
