package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
	"debugsession.dev/operator/internal/policy"
)

// membersMode is that of a session which debugs many pods, at the same time or one at each trigger: it has a member for each (member.go), and
// makes nothing else. Its own mode is what its members have, and shows what would be made for one of the pods.
type membersMode struct{ mode }

// find finds all pods that are to be debugged. One of them stands for all: it shows whether the session can be at all, and what its approvers
// are to see.
func (m membersMode) find(p *pass) (*debugTarget, step) {
	if refusal := checkSelector(&p.spec().Target); refusal != nil {
		return nil, reject{refusal}
	}
	nothing := p.noCandidates()
	pods, stop := need(p.Candidates, ListCandidates{}, nothing, unreadable("the pods of spec.target"))
	if stop != nil {
		return nil, stop
	}
	p.pods = m.fitting(p, pods)
	if len(p.pods) == 0 {
		if !p.Candidates.fresh {
			return nil, ask{ListCandidates{Fresh: true}}
		}
		nothing.message = unsuitable(p.spec(), len(pods))
		return nil, nothing
	}
	if most := int(p.spec().Target.All.Max); len(p.pods) > most {
		if !p.Candidates.fresh {
			return nil, ask{ListCandidates{Fresh: true}}
		}
		return nil, reject{refuse(v1alpha1.ReasonTooManyPods,
			"%s has %d pods that can be debugged, more than spec.target.all.max (%d), so none is; select fewer, or apply a new session with a higher max, as far as class %q allows (limits.maxMembers)",
			watchedName(&p.spec().Target), len(p.pods), most, p.spec().ClassName)}
	}
	target := &debugTarget{pod: &p.pods[0]}
	if refusal := checkTarget(p.spec(), target, nil); refusal != nil {
		return nil, reject{refusal}
	}
	status := p.status()
	if status.Target == nil {
		status.Target = &v1alpha1.TargetStatus{}
	}
	status.Target.Name = sanitizeText(fmt.Sprintf("%s (%d)", watchedName(&p.spec().Target), len(p.pods)), maxText)
	return target, p.worthWaiting(target.pod)
}

// fitting are the pods that are debugged, by name.
func (m membersMode) fitting(p *pass, pods []corev1.Pod) []corev1.Pod {
	var fit []corev1.Pod
	for i := range pods {
		if m.fits(p, &pods[i]) {
			fit = append(fit, pods[i])
		}
	}
	slices.SortFunc(fit, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return fit
}

// fits reports whether a pod is one of those that are debugged: the class allows it, and a debugger can be started for it.
func (m membersMode) fits(p *pass, pod *corev1.Pod) bool {
	return suits(pod, &p.spec().Target, m.mode) && policy.CheckPod(p.Class.value, pod, pod.Name) == "" && startsIn(p.spec(), pod)
}

// membersPinned records the members that will be made, and by when they will be over.
func (p *pass) membersPinned() step {
	if !p.Candidates.fresh { // which pods there are is decided here, once
		return ask{ListCandidates{Fresh: true}}
	}
	if _, _, err := p.tryBuild(p.target); err != nil { // what none of the members could be needs no members
		return cannotBuild(err)
	}
	status := p.status()
	life := begin(p.spec(), status.Class, p.startsWith(), p.Now, nil)
	status.StartedAt, status.ExpiresAt, status.HardDeadline = timestamp(life.started), timestamp(life.expires), timestamp(life.hard)
	p.planEndWarning()
	p.beginReview()
	status.Members = nil
	for i := range p.pods {
		pod := &p.pods[i]
		status.Members = append(status.Members, v1alpha1.MemberStatus{Name: memberName(p.Session, pod.UID, 0), PodName: pod.Name, PodUID: pod.UID})
	}
	p.warnOfNoTranscript()
	p.admitted()
	p.countMembers()
	status.Obstacle = nil
	p.event(corev1.EventTypeNormal, v1alpha1.ReasonMembersStarted, fmt.Sprintf("debugging %d pods until %s: %s",
		len(p.pods), plaintext.Clock(life.expires), strings.Join(mapRows(status.Members, func(r v1alpha1.MemberStatus) string { return r.PodName }), ", ")))
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, creatingMembers)
	p.stand(v1alpha1.PhaseStarting, v1alpha1.ReasonStarting, creatingMembers)
	return nil
}

const creatingMembers = "creating a session for each pod"

// mapRows is what there is of each member.
func mapRows(rows []v1alpha1.MemberStatus, of func(v1alpha1.MemberStatus) string) []string {
	all := make([]string, len(rows))
	for i := range rows {
		all[i] = of(rows[i])
	}
	return all
}

// track makes the members that are recorded, follows those that were made, and ends the session when all have ended.
func (m membersMode) track(p *pass) step {
	members, stop := p.readMembers(false, retryReading("the members"))
	if stop != nil {
		return stop
	}
	for i := range p.status().Members {
		if stop := p.trackMember(&p.status().Members[i], members); stop != nil {
			return stop
		}
	}
	p.countMembers()
	awaited, stop := p.nextTrigger()
	if stop != nil {
		return stop
	}
	return p.standByMembers(awaited)
}

// readMembers are the members that have not ended, as far as that is recorded.
func (p *pass) readMembers(fresh bool, ifUnknown func(error) step) (map[string]*v1alpha1.DebugSession, step) {
	var names []string
	for i := range p.status().Members {
		if row := &p.status().Members[i]; row.Phase != v1alpha1.PhaseEnded {
			names = append(names, row.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	if fresh && p.Members.state == found && !p.Members.fresh {
		return nil, ask{ReadMembers{Names: names, Fresh: true}}
	}
	return need(p.Members, ReadMembers{Names: names, Fresh: fresh}, nil, ifUnknown)
}

// trackMember makes a member that is recorded, or writes down how the one that was made stands.
func (p *pass) trackMember(row *v1alpha1.MemberStatus, members map[string]*v1alpha1.DebugSession) step {
	if row.Phase == v1alpha1.PhaseEnded {
		return nil
	}
	member := members[row.Name]
	switch {
	case member != nil && p.isMemberOf(row, member):
		recordMember(row, member)
	case row.UID != "" && !p.Members.fresh: // a cache may not have seen yet what was made
		return ask{ReadMembers{Names: []string{row.Name}, Fresh: true}}
	case row.UID != "":
		p.endRow(row, v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, "somebody deleted the session")
	case !p.Now.Before(p.makeBy(row)):
		p.endRow(row, v1alpha1.OutcomeNotStarted, v1alpha1.ReasonNotStarted, "the session could not be created in time")
	case !p.approvalsUnknown:
		p.do(CreateMember{Session: Member(p.Session, row)})
		p.wake(p.makeBy(row))
	}
	return nil
}

// makeBy is when a member must be made that is recorded.
func (p *pass) makeBy(row *v1alpha1.MemberStatus) time.Time {
	if row.TriggeredAt == nil {
		return startBy(p.status())
	}
	return earlier(row.TriggeredAt.Add(StartTimeout), p.status().ExpiresAt.Time)
}

// isMemberOf reports whether a session is the one that was made for the row, and no other of its name.
func (p *pass) isMemberOf(row *v1alpha1.MemberStatus, member *v1alpha1.DebugSession) bool {
	if row.UID != "" {
		return row.UID == member.UID
	}
	return isMadeFor(member, p.Session, row)
}

const (
	maxRowMessage = 256
	maxRowOutput  = 128
)

// recordMember writes down how a member stands. What it says is taken when its phase or reason changes: not each word of what is retried is
// worth a write.
func recordMember(row *v1alpha1.MemberStatus, member *v1alpha1.DebugSession) {
	status := &member.Status
	phase := cmp.Or(status.Phase, v1alpha1.PhasePending)
	ran := status.Debugger != nil && status.Debugger.StartedAt != nil
	if row.UID == member.UID && row.Phase == phase && row.Reason == status.Reason && ran == (row.StartedAt != nil) {
		return
	}
	row.UID, row.Phase, row.Reason, row.Outcome = member.UID, phase, status.Reason, status.Outcome
	row.Message = beginningOf(status.Message())
	if ran {
		row.StartedAt = status.Debugger.StartedAt.DeepCopy()
		row.ExitCode = status.Debugger.ExitCode
		row.Output = sanitizeText(status.Debugger.Output, maxRowOutput)
	}
	if phase == v1alpha1.PhaseEnded {
		row.EndedAt = status.EndedAt.DeepCopy()
	}
}

// beginningOf is as much of a message as a row has room for.
func beginningOf(message string) string {
	characters := []rune(sanitizeMessage(message))
	return string(characters[:min(len(characters), maxRowMessage)])
}

func (p *pass) endRow(row *v1alpha1.MemberStatus, outcome v1alpha1.Outcome, reason, message string) {
	row.Phase, row.Outcome, row.Reason, row.Message = v1alpha1.PhaseEnded, outcome, sanitizeReason(reason), beginningOf(message)
	row.EndedAt = timestamp(p.Now)
}

// countMembers counts the members as they are recorded.
func (p *pass) countMembers() {
	rows := p.status().Members
	counts := &v1alpha1.MemberCounts{Total: int32(len(rows))} // 50 at most
	for i := range rows {
		switch row := &rows[i]; {
		case row.Phase == v1alpha1.PhaseActive:
			counts.Active++
		case row.Phase == v1alpha1.PhaseEnded:
			counts.Ended++
			if rowFailed(row) {
				counts.Failed++
			}
		}
	}
	p.status().MemberCounts = counts
}

// rowFailed reports whether a member ended without having done what it was for.
func rowFailed(row *v1alpha1.MemberStatus) bool {
	return outcomeFailed(row.Outcome, row.StartedAt != nil)
}

// standByMembers says how the session stands, which ends when all of its members have, and no more are awaited. Once one was Active it is
// Active until then.
func (p *pass) standByMembers(awaited *survey) step {
	counts := p.status().MemberCounts
	rest := counts.Ended == counts.Total
	switch {
	case rest && awaited == nil:
		return p.endedTogether("")
	case rest && awaited.over != "":
		return p.endedTogether(p.howOften() + ", and no more is waited for: " + awaited.over)
	case rest:
		p.standArmed(*awaited)
		return nil
	}
	message := fmt.Sprintf("%d of %d debuggers run", counts.Active, counts.Total)
	if counts.Ended > 0 {
		message += fmt.Sprintf("; %d have ended", counts.Ended)
	}
	if counts.Failed > 0 {
		message += fmt.Sprintf(", %d of them without having run as they should: see status.members", counts.Failed)
	}
	if awaited != nil && awaited.over == "" {
		message += "; " + p.awaiting(*awaited)
	}
	if counts.Active == 0 && p.Session.Status.Phase != v1alpha1.PhaseActive {
		p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, message)
		p.stand(v1alpha1.PhaseStarting, v1alpha1.ReasonStarting, message)
		return nil
	}
	if p.Session.Status.Phase != v1alpha1.PhaseActive {
		p.event(corev1.EventTypeNormal, string(v1alpha1.PhaseActive), message+" until "+plaintext.Clock(p.status().ExpiresAt.Time))
	}
	ready := metav1.ConditionTrue
	if counts.Active == 0 {
		ready = metav1.ConditionFalse
	}
	p.set(v1alpha1.ConditionDebuggerReady, ready, v1alpha1.ReasonRunning, message)
	p.stand(v1alpha1.PhaseActive, v1alpha1.ReasonRunning, message)
	return nil
}

// endedTogether ends a session all of whose members have ended: as they did, if that was the same for all; as Failed, if one of them did not do
// what it was for; else as Completed if one completed.
func (p *pass) endedTogether(why string) step {
	rows := p.status().Members
	first, same, completed := rows[0].Outcome, true, false
	for i := range rows {
		same = same && rows[i].Outcome == first
		completed = completed || rows[i].Outcome == v1alpha1.OutcomeCompleted
	}
	message := "all members have ended: " + p.tally() + why
	failed := p.status().MemberCounts.Failed > 0
	switch {
	case same && failed:
		return beginEnding{first, v1alpha1.ReasonMembersFailed, message}
	case same:
		return beginEnding{first, v1alpha1.ReasonExited, message}
	case failed && p.ran():
		return beginEnding{v1alpha1.OutcomeFailed, v1alpha1.ReasonMembersFailed, message}
	case failed:
		return beginEnding{v1alpha1.OutcomeNotStarted, v1alpha1.ReasonMembersFailed, message}
	case completed:
		return beginEnding{v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited, message}
	}
	return beginEnding{first, v1alpha1.ReasonExited, message}
}

// tally is how many members ended in which way, such as: 2 Completed, 1 NotStarted.
func (p *pass) tally() string {
	count := map[v1alpha1.Outcome]int{}
	for i := range p.status().Members {
		count[p.status().Members[i].Outcome]++
	}
	var parts []string
	for _, outcome := range v1alpha1.Outcomes() {
		if n := count[outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return strings.Join(parts, ", ")
}

// look has nothing to look at: the members are followed.
func (membersMode) look(*pass) step { return nil }

// teardown waits for the members, each of which ends when it sees that its session ends. That one is not there takes the API server's word.
func (m membersMode) teardown(p *pass) step {
	members, stop := p.readMembers(false, notKnownGone("the members"))
	if stop != nil {
		return stop
	}
	var open, missing []string
	for i := range p.status().Members {
		row := &p.status().Members[i]
		member := members[row.Name]
		switch {
		case row.Phase == v1alpha1.PhaseEnded:
			continue
		case member != nil && p.isMemberOf(row, member):
			recordMember(row, member)
		case !p.Members.fresh:
			missing = append(missing, row.Name)
		case row.UID == "":
			p.endRow(row, v1alpha1.OutcomeNotStarted, v1alpha1.ReasonNotStarted, "it was not created")
		default:
			p.endRow(row, v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, "somebody deleted the session")
		}
		if row.Phase != v1alpha1.PhaseEnded {
			open = append(open, row.Name)
		}
	}
	p.countMembers()
	switch {
	case len(missing) > 0:
		return ask{ReadMembers{Names: missing, Fresh: true}}
	case len(open) > 0:
		return waitEnding{string(v1alpha1.PhaseEnding), fmt.Sprintf("%d of %d members have ended; waiting for %s", p.status().MemberCounts.Ended, len(p.status().Members), firstFew(open))}
	}
	return p.completeEnding("all members have ended: " + p.tally())
}

// firstFew names a few of them.
func firstFew(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// repair fills in nothing that its end would need: members end when they see that their session ends, or is gone.
func (membersMode) repair(p *pass) {
	if p.status().Target == nil {
		p.status().Target = &v1alpha1.TargetStatus{Name: sanitizeText(watchedName(&p.spec().Target), maxText)}
	}
	if p.status().HardDeadline == nil {
		p.status().HardDeadline = p.status().ExpiresAt.DeepCopy()
	}
}

// concludeMember writes down the member that was made, or why it was not: the others run.
func (p *pass) concludeMember(action CreateMember, result Result) {
	row := rowIn(p.status().Members, action.Session.Name)
	switch {
	case result.Gone:
		p.backOff(errNowhere)
	case result.Err != nil:
		p.backOff(fmt.Errorf("%s: %w", action.Describe(), result.Err))
	case row == nil: // whatever became of it, there is nothing to say it of
		p.wake(p.Now)
	case result.Refusal != nil:
		p.endRow(row, v1alpha1.OutcomeRejected, result.Refusal.Reason, result.Refusal.Message)
		p.countMembers()
		p.wake(p.Now) // those after it were not tried
	default:
		row.UID, row.Phase = result.Made, v1alpha1.PhasePending
	}
}
