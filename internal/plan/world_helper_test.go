package plan_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fakekubelet"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// world is a cluster of one session, one target pod, one node and at most one pod of the session's own: as much of an API server, a kubelet
// and a cache as it takes to see what the plans come to.
type world struct {
	t   tester
	now time.Time

	session *v1alpha1.DebugSession // nil once it was let go
	target  *corev1.Pod            // nil if there is none
	copied  *corev1.Pod            // the pod that has the copy's name
	node    *corev1.Node           // nil if there is none

	// What the operator sees: caches and watches lag behind.
	seenSession *v1alpha1.DebugSession
	seenTarget  *corev1.Pod
	seenCopy    *corev1.Pod
	sight       sight

	// What the operator knows and has not written, since when, and what was stored by then.
	unwritten      *v1alpha1.DebugSessionStatus
	unwrittenSince time.Time
	unwrittenAfter v1alpha1.Phase

	class     *v1alpha1.DebugClass // nil if there is none
	mayUse    bool
	noHaste   bool // the requester may not start it before its approval
	full      bool // as many other sessions run as the class allows
	approvals []approval.Approval
	access    plan.AccessState // as the operator remembers
	bound     bool             // as it is
	isolated  bool             // the copy's network policy is there
	held      bool             // somebody holds that policy
	lifting   bool             // it was deleted all the same
	replaced  bool             // the target was deleted for its copy

	version int                // of whatever changed last
	ours    map[types.UID]bool // the copies that the operator made
	placed  map[string]bool    // the ephemeral containers that it made, by pod UID and name
	ended   *v1alpha1.DebugSessionStatus
	over    bool // endedAt is persisted
	undone  bool // and the clock was set back since: what had not started by its deadline may, and ends at it

	record  plan.RecordState // as the operator remembers
	storeUp bool             // the audit store can be written

	transcript plan.TranscriptState // as the operator remembers
	noLog      bool                 // the debugger's node does not give its log

	lost bool      // its watchdog was killed
	ends time.Time // the deadline that an ephemeral debugger keeps to by itself; zero if it has none
}

// policyUID is the UID of the copy's network policy.
const policyUID types.UID = "9011c400-0000-4000-8000-000000000001"

var errNoShell = errors.New(`exec failed: unable to start container process: exec: "sh": executable file not found in $PATH`)

// sight is how reads go.
type sight int

const (
	seeing sight = iota
	blind        // reads fail
	dim          // watches have not begun
	unsure       // classes and approvals cannot be read
)

// fault is what goes wrong in a pass.
type fault int

const (
	noFault       fault = iota
	actionFails         // and has done nothing
	answerIsLost        // the action took effect, and nobody was told
	statusIsLost        // the operator was killed before it wrote the status
	actionRefused       // for good
)

func newWorld(t tester, session *v1alpha1.DebugSession, class *v1alpha1.DebugClass) *world {
	w := &world{t: t, now: fixture.Created, storeUp: true, session: session, class: class, mayUse: true, ours: map[types.UID]bool{},
		placed: map[string]bool{}}
	w.session.ResourceVersion = "0"
	w.target, w.node = fixture.Pod(), node(nodeUID)
	w.sync()
	return w
}

// sync is what time does to caches.
func (w *world) sync() {
	w.seenSession, w.seenTarget, w.seenCopy = w.session.DeepCopy(), w.target.DeepCopy(), w.copied.DeepCopy()
}

func observed(pod *corev1.Pod) plan.Observed[*corev1.Pod] {
	if pod == nil {
		return plan.Absent[*corev1.Pod]()
	}
	return plan.Found(pod)
}

func (w *world) view() view {
	v := view{
		session:    w.seenSession,
		now:        w.now,
		access:     &w.access,
		mayUse:     new(plan.Found(w.mayUse)),
		mayDeclare: new(plan.Found(!w.noHaste)),
	}
	v.store, v.record, v.transcript = true, &w.record, &w.transcript
	v.budgets = new(plan.Found[[]policyv1.PodDisruptionBudget](nil))
	v.labels, v.image = labels.Set{corev1.LabelMetadataName: fixture.Namespace}, "debugsession/operator:v1"
	v.targetNamespace, v.mayReach = new(plan.Found(labels.Set{corev1.LabelMetadataName: networkNamespace})), new(plan.Found(w.mayUse))
	v.class, v.approvals = new(plan.Found(w.class)), new(plan.Found(w.approvals))
	if w.class == nil {
		v.class = new(plan.Absent[*v1alpha1.DebugClass]())
	}
	if w.full {
		v.running = new(plan.Found(plan.Running{InNamespace: 1}))
	}
	switch w.sight {
	case blind:
		none := plan.Unknown[[]corev1.Pod](errOffline)
		v.candidates, v.target, v.copied = &none, new(unknown()), new(unknown())
		v.watched, v.selector = &none, new(plan.Unknown[string](errOffline))
		v.class, v.approvals = new(plan.Unknown[*v1alpha1.DebugClass](errOffline)), new(plan.Unknown[[]approval.Approval](errOffline))
		v.mayDeclare, v.mayReach = new(plan.Unknown[bool](errOffline)), new(plan.Unknown[bool](errOffline))
		v.targetNamespace = new(plan.Unknown[labels.Set](errOffline))
		v.mayUse, v.preview = new(plan.Unknown[bool](errOffline)), new(plan.Unknown[plan.Preview](errOffline))
		v.node, v.output = new(plan.Unknown[*corev1.Node](errOffline)), new(plan.Unknown[string](errOffline))
		v.isolation = new(plan.Unknown[*networkingv1.NetworkPolicy](errOffline))
		return v
	case dim:
		none := plan.Unknown[[]corev1.Pod](errOffline)
		v.candidates, v.target, v.copied = &none, new(awaited()), new(awaited())
		v.watched = new(plan.Awaited[[]corev1.Pod]())
	case seeing, unsure:
		var pods []corev1.Pod
		if w.target != nil {
			pods = append(pods, *w.target)
		}
		var seen []corev1.Pod
		if w.seenTarget != nil {
			seen = append(seen, *w.seenTarget)
		}
		v.watched = new(plan.Found(seen))
		v.candidates, v.target, v.copied = new(plan.Found(pods)), new(observed(w.seenTarget)), new(observed(w.seenCopy))
		if w.sight == unsure {
			v.class, v.approvals = new(plan.Unknown[*v1alpha1.DebugClass](errOffline)), new(plan.Unknown[[]approval.Approval](errOffline))
		}
	}
	v.freshTarget, v.freshCopy = new(observed(w.target)), new(observed(w.copied))
	v.output, v.node = new(plan.Found("done")), new(plan.Absent[*corev1.Node]())
	if w.node != nil {
		v.node = new(plan.Found(w.node))
	}
	v.isolation = new(plan.Absent[*networkingv1.NetworkPolicy]())
	if w.isolated {
		policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{UID: policyUID}}
		if w.lifting {
			policy.DeletionTimestamp = &metav1.Time{Time: w.now}
		}
		v.isolation = new(plan.Found(policy))
	}
	return v
}

// reconcile is one pass of the operator. It returns the plan, and whether the pass changed anything.
func (w *world) reconcile(fault fault) (plan.Plan, bool) {
	if w.session == nil || w.seenSession == nil {
		return plan.Plan{}, false
	}
	before, memory, known, stored, since := w.version, w.access, w.record, w.seenSession, w.unwrittenSince
	v := w.view()
	if w.unwritten != nil && stored.Status.Phase == w.unwrittenAfter {
		v.session = stored.DeepCopy()
		v.session.Status = *w.unwritten
	} else {
		since = w.now
	}
	from := v.session.Status.Phase
	w.unwritten = nil
	p := passOf(w.t, v, func(actions []plan.Action) []plan.Result {
		var results []plan.Result
		for _, action := range actions {
			result := w.perform(action, fault)
			results = append(results, result)
			if _, taking := action.(plan.RevokeAccess); taking {
				continue
			}
			if result.Err != nil || result.Refusal != nil || result.Gone {
				break
			}
		}
		return results
	})
	switch age := w.now.Sub(since); {
	case fault == statusIsLost:
	case age >= 0 && age < plan.MaxUnwritten && plan.MayStayUnwritten(stored, p, w.now):
		w.unwritten, w.unwrittenSince, w.unwrittenAfter = p.Status.DeepCopy(), since, stored.Status.Phase
		if p.Status.Phase != from {
			return p, true
		}
		if until := since.Add(plan.MaxUnwritten); p.WakeAt.IsZero() || p.WakeAt.After(until) {
			p.WakeAt = until
		}
	default:
		w.write(stored, p.Status)
	}
	return p, w.version != before || w.access != memory || w.record != known
}

// perform is the API server's part. As the real one, it refuses what was decided on an older session than there is.
func (w *world) perform(action plan.Action, fault fault) plan.Result {
	result := plan.Result{Action: action}
	switch fault {
	case actionFails:
		w.access = plan.AccessUnsure
		result.Err = errOffline
		return result
	case actionRefused:
		result.Refusal = &plan.Refusal{Reason: v1alpha1.ReasonRefused, Message: "violates PodSecurity"}
		return result
	case answerIsLost:
		defer func() { result.Err = errOffline }()
	}
	switch a := action.(type) {
	case plan.AddFinalizer:
		result.Err = w.setFinalizers([]string{v1alpha1.Finalizer})
	case plan.StoreRecord:
		w.record.Known = true
		w.stores()
	case plan.RemoveFinalizer:
		result.Err = w.setFinalizers(nil)
	case plan.InjectDebugger:
		result.Gone = !w.inject(a)
	case plan.CreatePod:
		result.Refusal = w.create(a)
	case plan.CreateNetworkPolicy:
		w.isolate(true)
	case plan.DeleteNetworkPolicy:
		w.isolate(false)
	case plan.ReplaceOriginal:
		result.Gone = !w.replace(a)
	case plan.GrantAccess:
		w.setAccess(true)
		w.access = plan.AccessGranted
	case plan.RevokeAccess:
		w.setAccess(false)
		w.access = plan.AccessRevoked
	case plan.StopDebugger:
		result.Gone, result.Err = w.stop(a)
	case plan.MoveDeadline:
		result.Err = w.moveDeadline(a)
	case plan.DeletePod:
		result.Gone = !w.delete(a)
	default:
		if effect := plan.EffectOf(a); effect == plan.Creates || effect == plan.Removes { // others change nothing that this world has
			w.t.Fatalf("an action that this world does not know: %T", a)
		}
	}
	if fault == answerIsLost {
		result.Gone, result.Refusal = false, nil
		w.access = plan.AccessUnsure
	}
	return result
}

// stores is what the recorder does beside the passes.
func (w *world) stores() {
	if !w.record.Known || w.record.Stored != nil {
		return
	}
	w.record.Failure = ""
	if w.storeUp {
		w.record.Stored = &v1alpha1.AuditStatus{Key: "records/hang.json"}
	} else {
		w.record.Failure = "access denied"
	}
}

// readsLog is what the transcriber does beside the passes. A log that nobody gets is given up when its pod is gone, or when its session
// has been over for some time.
func (w *world) readsLog() {
	if w.session == nil || !w.session.Status.LeavesTranscript() || w.transcript.Stored != nil {
		return
	}
	status := v1alpha1.TranscriptStatus{Key: "transcripts/hang/"}
	switch {
	case w.noLog && w.debuggerPod() != nil && w.session.Status.EndedAt == nil:
		return
	case w.noLog:
		status.Incomplete = "its node did not give it"
	case w.debuggerState().Running != nil && w.session.Status.EndedAt == nil: // of a pod that has finished, its kubelet may have said nothing since
		w.transcript.CaughtUp = true
		return
	}
	w.transcript = plan.TranscriptState{Read: true, Stored: &status}
	if !w.storeUp {
		w.transcript = plan.TranscriptState{Failure: "access denied"}
	}
}

// checkLog: the log of a debugger is not taken away before it is read, as long as it may be waited for.
func (w *world) checkLog() {
	status := &w.seenSession.Status
	ending := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionEnded)
	if !status.LeavesTranscript() || ending == nil || w.transcript.Read || w.transcript.CaughtUp && w.debuggerState().Terminated == nil {
		return
	}
	if until := ending.LastTransitionTime.Add(10 * time.Second); w.now.Before(until) && w.now.Before(status.HardDeadline.Time) {
		w.t.Fatalf("its pod is deleted at %s, and its log was not read: that is waited for until %s, or its hard deadline, %s", w.now,
			until, status.HardDeadline)
	}
}

func (w *world) changed() { w.version++ }

func (w *world) setAccess(bound bool) {
	if w.bound != bound {
		w.bound = bound
		w.changed()
	}
	if bound && (w.session == nil || w.session.Status.Phase == v1alpha1.PhaseEnding || w.session.Status.Phase == v1alpha1.PhaseEnded) {
		w.t.Fatalf("access is given to what is over")
	}
}

func (w *world) newTarget() {
	w.changed()
	w.target = fixture.Pod(fixture.UID(types.UID(fmt.Sprint("pod-", w.version))))
}

func (w *world) setFinalizers(finalizers []string) error {
	if w.session.ResourceVersion != w.seenSession.ResourceVersion {
		return errOffline
	}
	w.edit(func(s *v1alpha1.DebugSession) { s.Finalizers = finalizers })
	if w.session == nil {
		w.seenSession = nil
		return nil
	}
	w.seenSession = w.session.DeepCopy()
	return nil
}

// edit changes the session. One that is being deleted goes when its last finalizer does.
func (w *world) edit(change func(*v1alpha1.DebugSession)) {
	if w.session == nil {
		return
	}
	spec := w.session.Spec.DeepCopy()
	change(w.session)
	w.changed()
	w.session.ResourceVersion = fmt.Sprint(w.version)
	if !equality.Semantic.DeepEqual(spec, &w.session.Spec) || w.session.DeletionTimestamp != nil {
		w.session.Generation++
	}
	if w.session.DeletionTimestamp != nil && len(w.session.Finalizers) == 0 {
		w.session = nil
	}
}

// write is the status write at the end of a pass: it counts only for the version that it was decided on.
func (w *world) write(from *v1alpha1.DebugSession, status v1alpha1.DebugSessionStatus) {
	if w.session == nil || from == nil || w.seenSession == nil || equality.Semantic.DeepEqual(w.seenSession.Status, status) ||
		w.session.ResourceVersion != w.seenSession.ResourceVersion {
		return
	}
	w.session.Status = status
	w.changed()
	w.session.ResourceVersion = fmt.Sprint(w.version)
	w.seenSession = w.session.DeepCopy() // the operator knows what it wrote
	w.checkEnd()
}

func (w *world) inject(a plan.InjectDebugger) bool {
	w.checkMaking(a)
	if w.target == nil || w.target.Name != a.Pod.Name || w.target.UID != a.UID {
		return false
	}
	id := string(a.UID) + "/" + a.Container.Name
	if !w.placed[id] {
		w.placed[id] = true
		w.target.Spec.EphemeralContainers = append(w.target.Spec.EphemeralContainers, a.Container)
		if !w.unstoppable() {
			w.ends = told(w.t, a.Container.Command[4])
		}
		w.changed()
	}
	if len(w.placed) > 1 {
		w.t.Errorf("a second debugger was made: %v", w.placed)
	}
	return true
}

func (w *world) create(a plan.CreatePod) *plan.Refusal {
	w.checkMaking(a)
	if w.copied != nil {
		if w.ours[w.copied.UID] && len(w.copied.OwnerReferences) > 0 {
			return nil
		}
		return plan.NameTaken(w.copied.Name)
	}
	w.copied = a.Pod.DeepCopy()
	w.changed()
	w.copied.UID = types.UID(fmt.Sprint("copy-", w.version))
	w.copied.CreationTimestamp = metav1.NewTime(w.now)
	w.copied.Spec.NodeName = "node-1"
	w.ours[w.copied.UID] = true
	return nil
}

// stop is the sweep, for which it takes a shell.
func (w *world) stop(a plan.StopDebugger) (gone bool, err error) {
	if w.target == nil || w.target.UID != a.UID {
		return true, nil
	}
	if w.unstoppable() {
		return false, errNoShell
	}
	if w.debuggerState().Running != nil {
		w.setDebugger(fixture.Exited(w.now, 143, "Error", ""))
	}
	return false, nil
}

// moveDeadline is the debugger's watchdog, which hears of another deadline while it waits for its own.
func (w *world) moveDeadline(a plan.MoveDeadline) error {
	if w.session == nil || w.debuggerState().Running == nil || w.lost || !w.now.Before(w.ends) {
		return errOffline
	}
	until := told(w.t, a.Command[4])
	if hard := w.session.Status.HardDeadline; !until.Equal(a.To) || until.After(hard.Time) {
		w.t.Fatalf("told to end at %s instead of %s, and its hard deadline is %s", until, a.To, hard)
	}
	w.ends = until
	w.checkBounds()
	return nil
}

// told is a time as the debugger is told it.
func told(t tester, seconds string) time.Time {
	at, err := fakekubelet.Moment(seconds)
	if err != nil {
		t.Fatalf("is told %v", err)
	}
	return at.UTC()
}

func (w *world) unstoppable() bool { return w.session != nil && w.session.Spec.Debugger.Unstoppable }

func (w *world) isolate(isolated bool) {
	if w.held && w.isolated && !isolated {
		w.lifting = true
		return
	}
	if w.isolated != isolated {
		w.isolated = isolated
		w.changed()
	}
}

// replace is the deletion of the target for its copy, which must be there by then.
func (w *world) replace(a plan.ReplaceOriginal) (there bool) {
	if w.copied == nil || !w.ours[w.copied.UID] {
		w.t.Fatalf("the target is deleted, and its copy is not there")
	}
	if w.target == nil || w.target.UID != a.UID {
		return false
	}
	w.replaced = true
	w.goes(&w.target)
	return true
}

// restartTarget has the target's container end, and begin again.
func (w *world) restartTarget() {
	w.endTarget(restarted(w.now, 1, "Error"))
}

// endTarget has the target's container end in that way. What has joined it is killed.
func (w *world) endTarget(how fixture.PodOption) {
	if w.target == nil || w.session != nil && w.targetFinished() {
		return
	}
	how(w.target)
	w.changed()
	if w.debuggerPod() == w.target && w.debuggerState().Running != nil {
		w.setDebugger(fakekubelet.Killed(w.now))
	}
}

// removeDebugger takes a running ephemeral debugger out of the runtime. Its kubelet is about to make it anew.
func (w *world) removeDebugger() {
	if w.target == nil || w.debuggerPod() != w.target || w.debuggerState().Running == nil {
		return
	}
	fakekubelet.Recreate(w.target, w.session.Status.Debugger.ContainerName)
	w.changed()
}

func (w *world) delete(a plan.DeletePod) bool {
	if w.copied == nil || w.copied.UID != a.UID {
		return false
	}
	if !w.ours[a.UID] {
		w.t.Fatalf("deletes a pod that is not this session's")
	}
	w.checkLog()
	w.goes(&w.copied)
	return true
}

// goes is a delete request: a pod that somebody holds stays, terminating.
func (w *world) goes(pod **corev1.Pod) {
	if *pod == nil {
		return
	}
	if len((*pod).Finalizers) > 0 {
		fixture.Terminating(*pod)
	} else {
		*pod = nil
	}
	w.changed()
}

// debuggerPod is the pod that the debugger is or would be in, as it is.
func (w *world) debuggerPod() *corev1.Pod {
	if w.session == nil || w.session.Status.Debugger == nil {
		return nil
	}
	if w.session.Spec.Mode != v1alpha1.ModeEphemeralContainer {
		if w.copied != nil && w.ours[w.copied.UID] {
			return w.copied
		}
		return nil
	}
	if w.target != nil && w.placed[string(w.target.UID)+"/"+w.session.Status.Debugger.ContainerName] {
		return w.target
	}
	return nil
}

func (w *world) debuggerState() corev1.ContainerState {
	pod := w.debuggerPod()
	if pod == nil {
		return corev1.ContainerState{}
	}
	return fakekubelet.State(pod, w.session.Status.Debugger.ContainerName)
}

// setDebugger is the kubelet's word. A container that has terminated stays so, and none starts when it is too late: the
// kubelet's deadline and the debugger's own see to that.
func (w *world) setDebugger(state corev1.ContainerState) {
	pod := w.debuggerPod()
	if pod == nil || w.debuggerState().Terminated != nil || pod.Status.Phase == corev1.PodFailed {
		return
	}
	if state.Running != nil && (w.debuggerState().Running != nil || !w.mayStart()) {
		return
	}
	if state.Waiting != nil && w.debuggerState().Running != nil {
		return
	}
	fakekubelet.Set(pod, w.session.Status.Debugger.ContainerName, state)
	w.changed()
}

// targetFinished reports whether the container that an ephemeral debugger joins has ended for good: nothing starts beside it.
func (w *world) targetFinished() bool {
	if w.target == nil || w.target.Spec.RestartPolicy != corev1.RestartPolicyNever ||
		w.session.Spec.Mode != v1alpha1.ModeEphemeralContainer {
		return false
	}
	return slices.ContainsFunc(w.target.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		return s.Name == "app" && s.State.Terminated != nil
	})
}

func (w *world) mayStart() bool {
	if w.targetFinished() {
		return false
	}
	if w.unstoppable() {
		return true
	}
	return w.now.Before(w.session.Status.StartedAt.Add(plan.StartTimeout)) && (w.ends.IsZero() || w.now.Before(w.ends))
}

// goOn lets time go by. What runs past its deadline is ended, with the operator or without: but a watchdog that was lost ends nothing.
func (w *world) goOn(to time.Time) {
	w.undone = w.undone || w.over && to.Before(w.now)
	w.now = to
	status := w.debuggerStatus()
	if status == nil || status.HardDeadline == nil {
		return
	}
	if w.session.Spec.Mode == v1alpha1.ModeEphemeralContainer {
		if w.debuggerState().Running != nil && !w.lost && !w.now.Before(w.ends) {
			w.setDebugger(fakekubelet.AtDeadline(w.ends))
		}
		return
	}
	if pod := w.debuggerPod(); pod != nil && pod.Status.Phase != corev1.PodFailed && !w.now.Before(status.HardDeadline.Time) {
		fakekubelet.PassDeadline(pod)
		w.changed()
	}
}

func (w *world) debuggerStatus() *v1alpha1.DebugSessionStatus {
	if w.session == nil {
		return nil
	}
	return &w.session.Status
}

// checkBounds: a debugger ends by itself no sooner than its session says, and no later than it says of the debugger.
func (w *world) checkBounds() {
	status := &w.session.Status
	if status.ExpiresAt.After(w.ends) || w.ends.After(status.Debugger.Deadline.Time) {
		w.t.Fatalf("said to last until %s, and its debugger to end by itself at %s, and that does at %s", status.ExpiresAt,
			status.Debugger.Deadline, w.ends)
	}
}

// checkMaking: nothing is made for a session that is over or ending, nor without approval, nor without having seen the target.
func (w *world) checkMaking(action plan.Action) {
	if w.session == nil {
		w.t.Fatalf("%T for a session that is gone", action)
	}
	if phase := w.session.Status.Phase; phase != v1alpha1.PhaseStarting && phase != v1alpha1.PhaseActive {
		w.t.Fatalf("%T, and what is persisted is %s", action, phase)
	}
	if w.sight != seeing && w.sight != unsure {
		w.t.Fatalf("%T without having seen the target", action)
	}
	if required := w.session.Status.Class.ApprovalsRequired; required > 0 {
		if w.sight == unsure {
			w.t.Fatalf("%T, and nobody can know whether it is still approved", action)
		}
		if w.session.Status.Review != nil && w.session.Spec.Emergency {
			return
		}
		if len(w.approvals) < int(required) || w.approvals[0].Spec.Decision != v1alpha1.DecisionApprove {
			w.t.Fatalf("%T without approval", action)
		}
	}
}

// checkEnd: once Ended is persisted nothing of the debugger is left, and that record is never another.
func (w *world) checkEnd() {
	status := &w.session.Status
	if status.Phase == v1alpha1.PhaseActive && !w.bound {
		w.t.Fatalf("Active, and nobody was given access")
	}
	if status.Phase == v1alpha1.PhaseActive && !w.ends.IsZero() {
		w.checkBounds()
	}
	if w.ended != nil &&
		(status.Phase != v1alpha1.PhaseEnded || status.Outcome != w.ended.Outcome || !status.EndedAt.Equal(w.ended.EndedAt)) {
		w.t.Fatalf("an ended session is written again: %+v", status)
	}
	if status.EndedAt != nil && w.ended == nil {
		w.checkNothingLeft() // also while it waits for its record
	}
	if status.Phase != v1alpha1.PhaseEnded || w.ended != nil {
		return
	}
	w.ended = status.DeepCopy()
	if status.Class != nil && status.Class.Audit == v1alpha1.AuditRequired && status.Audit == nil {
		w.t.Fatalf("Ended (%s), and its record is not stored", status.Outcome)
	}
	if status.Class != nil && status.Class.Transcript == v1alpha1.TranscriptRequired && status.LeavesTranscript() &&
		status.Transcript == nil {
		w.t.Fatalf("Ended (%s), and its transcript is not stored", status.Outcome)
	}
}

func (w *world) checkNothingLeft() {
	status := &w.session.Status
	if w.bound {
		w.t.Fatalf("Ended (%s), and access is left", status.Outcome)
	}
	if w.isolated {
		w.t.Fatalf("Ended (%s), and a network policy is left", status.Outcome)
	}
	w.over = true
	pod := w.debuggerPod()
	switch {
	case pod == nil:
	case w.session.Spec.Mode != v1alpha1.ModeEphemeralContainer:
		w.t.Fatalf("Ended (%s), and the copy is there", status.Outcome)
	case w.undone:
	case w.debuggerState().Running != nil && pod.Status.Phase == corev1.PodRunning:
		w.t.Fatalf("Ended (%s), and the debugger runs", status.Outcome)
	case w.debuggerState().Terminated == nil && pod.Status.Phase == corev1.PodRunning && w.mayStart():
		w.t.Fatalf("Ended (%s), and the debugger may yet start", status.Outcome)
	}
}
