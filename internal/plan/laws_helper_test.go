package plan_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// tester is what a table's and a property's t have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// pass runs one pass, with what came of its actions, and holds it to what must be true of every pass there is.
func pass(t tester, v view, results ...plan.Result) plan.Plan {
	t.Helper()
	before := mapped(v.pods, (*corev1.Pod).DeepCopy)
	concluded := passOf(t, v, func([]plan.Action) []plan.Result { return results })
	if !equality.Semantic.DeepEqual(before, v.pods) {
		t.Errorf("a pod was changed:\n%s", cmp.Diff(before, v.pods))
	}
	return concluded
}

// passOf is pass, with what performs the actions.
func passOf(t tester, v view, perform func([]plan.Action) []plan.Result) plan.Plan {
	t.Helper()
	before := v.session.DeepCopy()
	s, decided := v.decide(t)
	if again := plan.Decide(s); !reflect.DeepEqual(decided, again) {
		t.Errorf("Decide twice gives different plans: %s and %s\n%s", does(decided), does(again), cmp.Diff(decided.Status, again.Status))
	}
	results := perform(decided.Actions)
	kept := decided
	decided.Status.DeepCopyInto(&kept.Status)
	kept.Events = slices.Clone(decided.Events)
	concluded := plan.Conclude(s, decided, results)
	if !reflect.DeepEqual(decided, kept) {
		t.Errorf("Conclude changed the plan it was given:\n%s", cmp.Diff(kept.Status, decided.Status))
	}
	if !reflect.DeepEqual(before, v.session) {
		t.Errorf("the session was changed:\n%s", cmp.Diff(before, v.session))
	}
	for _, p := range []plan.Plan{decided, concluded} {
		holdsWriteAhead(t, s, p)
		holdsEnd(t, s, p)
		holdsStatus(t, s, p)
		holdsWords(t, s, p)
		holdsEvents(t, p)
		if !p.WakeAt.IsZero() && p.WakeAt.Before(s.Now) {
			t.Errorf("wakes at %s, which is before now, %s", p.WakeAt, s.Now)
		}
	}
	return concluded
}

func mapped[T, R any](from []T, by func(T) R) []R {
	var to []R
	for _, v := range from {
		to = append(to, by(v))
	}
	return to
}

// holdsWriteAhead: what permits a thing was persisted before the thing is made, and what is made is what was permitted.
func holdsWriteAhead(t tester, s plan.Snapshot, p plan.Plan) {
	t.Helper()
	status := &s.Session.Status
	for _, action := range p.Actions {
		switch action.(type) {
		case plan.InjectDebugger, plan.CreatePod, plan.CreateNetworkPolicy, plan.ReplaceOriginal:
		default:
			continue
		}
		if status.Phase != v1alpha1.PhaseStarting && status.Phase != v1alpha1.PhaseActive {
			t.Fatalf("%T in phase %q", action, status.Phase)
		}
		of := status.Target
		if of == nil || of.PodUID+of.NodeUID+of.WorkloadUID+of.ClaimUID == "" && of.Image == "" || status.Debugger == nil ||
			status.Debugger.ContainerName == "" ||
			status.StartedAt == nil || status.ExpiresAt == nil || (status.HardDeadline == nil) != s.Session.Spec.Debugger.Unstoppable {
			t.Fatalf("%T, and the persisted status does not permit it: %+v", action, status)
		}
		if !slices.Contains(s.Session.Finalizers, v1alpha1.Finalizer) {
			t.Errorf("%T, and the session has no finalizer", action)
		}
		if !s.Now.Before(p.Status.ExpiresAt.Time) {
			t.Errorf("%T at %s, after the session's time, %s", action, s.Now, p.Status.ExpiresAt)
		}
		if a, ok := action.(plan.InjectDebugger); ok && !s.Session.Spec.Debugger.Unstoppable {
			holdsDeadlines(t, status, a.Container.Command)
		}
		if a, ok := action.(plan.InjectDebugger); ok &&
			(a.UID != status.Target.PodUID || a.Pod.Name != status.Target.PodName || a.Container.Name != status.Debugger.ContainerName) {
			t.Errorf("injects %q into pod %s (%s), and recorded was %+v, %+v", a.Container.Name, a.Pod, a.UID, status.Target,
				status.Debugger)
		}
		if a, ok := action.(plan.CreatePod); ok && a.Pod.Name != status.Debugger.PodName {
			t.Errorf("creates copy %q, and recorded was %+v", a.Pod.Name, status.Debugger)
		}
	}
}

// holdsDeadlines: a debugger keeps to what was persisted.
func holdsDeadlines(t tester, status *v1alpha1.DebugSessionStatus, command []string) {
	t.Helper()
	recorded := status.Debugger.Deadline
	if recorded == nil {
		recorded = status.HardDeadline
	}
	if end, hard := told(t, command[4]), told(t, command[5]); !end.Equal(recorded.Time) || !hard.Equal(status.HardDeadline.Time) ||
		end.After(hard) {
		t.Errorf("it ends at %s and at the latest at %s, and recorded was %s, %s", end, hard, recorded, status.HardDeadline)
	}
}

// holdsEnd: Ended is final, and wants nothing but to let the session go.
func holdsEnd(t tester, s plan.Snapshot, p plan.Plan) {
	t.Helper()
	before, after := s.Session.Status.DeepCopy(), p.Status.DeepCopy()
	if after.Phase == v1alpha1.PhaseEnded {
		if after.Outcome == "" || after.EndedAt == nil || after.Attach != "" ||
			!meta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionEnded) {
			t.Errorf("Ended, but: outcome %q, endedAt %s, attach %q, conditions %v", after.Outcome, after.EndedAt, after.Attach,
				after.Conditions)
		}
		if !p.WakeAt.IsZero() && !after.AwaitsReview() && after.Class != nil { // without it: see TestRetentionBeforeTheClassIsRecorded
			t.Errorf("an ended session wants to be woken at %s", p.WakeAt)
		}
		started := after.Debugger != nil && after.Debugger.StartedAt != nil
		if d := after.Debugger; (after.Outcome == v1alpha1.OutcomeExpired || after.Outcome == v1alpha1.OutcomeFailed) && d != nil &&
			after.Reason != v1alpha1.ReasonInvalid && !started {
			t.Errorf("%s, and the debugger never ran: %+v", after.Outcome, d)
		}
		if after.Outcome == v1alpha1.OutcomeNotStarted && started && after.Debugger.StoppedBy != "" {
			t.Errorf("%s, and the debugger ran: %+v", after.Outcome, after.Debugger)
		}
	} else if waits := after.Phase == v1alpha1.PhaseEnding && after.Class != nil &&
		after.Class.Audit == v1alpha1.AuditRequired; after.Outcome != "" || after.EndedAt != nil && !waits {
		t.Errorf("phase %s, and yet outcome %q at %s", after.Phase, after.Outcome, after.EndedAt)
	}
	if before.Phase != v1alpha1.PhaseEnded {
		return
	}
	before.ObservedGeneration, after.ObservedGeneration = 0, 0
	if before.AwaitsReview() {
		for _, s := range []*v1alpha1.DebugSessionStatus{before, after} {
			s.Review, s.Approvals, s.ApprovedBy, s.WaitingFor = nil, nil, "", ""
			meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionReviewed)
		}
	}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the status of an ended session changes:\n%s", cmp.Diff(before, after))
	}
	for _, action := range p.Actions {
		if _, ok := action.(plan.RemoveFinalizer); !ok {
			t.Errorf("an ended session does %T", action)
		}
	}
	if len(p.Events) > 0 && !s.Session.Status.AwaitsReview() {
		t.Errorf("an ended session tells %v", p.Events)
	}
}

// conditionReason is what the API server accepts as a condition's reason.
var conditionReason = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// holdsStatus: what is reported is what the API server takes, and what kstatus understands.
func holdsStatus(t tester, s plan.Snapshot, p plan.Plan) {
	t.Helper()
	status := &p.Status
	nothing := reflect.DeepEqual(*status, v1alpha1.DebugSessionStatus{ObservedGeneration: -1})
	if status.ObservedGeneration != s.Session.Generation && !nothing {
		t.Errorf("observedGeneration is %d, and the generation %d", status.ObservedGeneration, s.Session.Generation)
	}
	if len(status.Reason) > 256 {
		t.Errorf("status.reason has %d characters", len(status.Reason))
	}
	for _, c := range status.Conditions {
		if !conditionReason.MatchString(c.Reason) || len(c.Reason) > 1024 || len(c.Message) > 32768 || !utf8.ValidString(c.Message) {
			t.Errorf("condition %s would be refused: reason %q, message %q", c.Type, c.Reason, c.Message)
		}
		if c.LastTransitionTime.IsZero() || c.LastTransitionTime.Nanosecond() != 0 {
			t.Errorf("condition %s changed at %s", c.Type, c.LastTransitionTime)
		}
	}
	times := []*metav1.Time{status.StartedAt, status.ExpiresAt, status.HardDeadline, status.EndedAt}
	if status.Debugger != nil && status.Debugger.Deadline != nil {
		times = append(times, status.Debugger.Deadline)
		if status.ExpiresAt.After(status.Debugger.Deadline.Time) {
			t.Errorf("expires at %s, after the debugger's own deadline, %s", status.ExpiresAt, status.Debugger.Deadline)
		}
	}
	if target := status.Target; target != nil && target.Deadline != nil && status.ExpiresAt != nil {
		times = append(times, target.Deadline)
		if status.ExpiresAt.After(target.Deadline.Time) {
			t.Errorf("expires at %s, after its target, %s", status.ExpiresAt, target.Deadline)
		}
	}
	for _, at := range times {
		if at != nil && at.Nanosecond() != 0 {
			t.Errorf("%s is not in whole seconds, and will not be read back as it was written", at)
		}
	}
	if status.Phase != "" {
		if want, got := kstatusOf(status), kstatus(s.Session, status); got != want {
			t.Errorf("kstatus says %s of phase %s, outcome %q; want %s", got, status.Phase, status.Outcome, want)
		}
	}
}

// holdsWords: one can attach exactly when the session says so, and what it says stands in one condition.
func holdsWords(t tester, s plan.Snapshot, p plan.Plan) {
	t.Helper()
	status := &p.Status
	if s.Session.Status.Phase == v1alpha1.PhaseEnded || status.Phase == "" {
		return
	}
	if status.Message() == "" {
		t.Errorf("phase %s, and the condition that decides says nothing: %v", status.Phase, status.Conditions)
	}
	attachable := meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionAttachable)
	if attachable && (status.Phase != v1alpha1.PhaseActive || status.Attach == "") {
		t.Errorf("Attachable in phase %s, with attach %q", status.Phase, status.Attach)
	}
	said := map[string]string{}
	for _, c := range status.Conditions {
		if other, elsewhere := strings.CutPrefix(c.Message, "see condition "); elsewhere {
			if there := meta.FindStatusCondition(status.Conditions, other); there == nil ||
				strings.HasPrefix(there.Message, "see condition ") {
				t.Errorf("condition %s points to %s, and that says nothing: %v", c.Type, other, there)
			}
			continue
		}
		if other, twice := said[c.Message]; twice {
			t.Errorf("conditions %s and %s say the same: %q", other, c.Type, c.Message)
		}
		for message, other := range said {
			if len(c.Message) > 40 && strings.Contains(message, c.Message) || len(message) > 40 && strings.Contains(c.Message, message) {
				t.Errorf("conditions %s and %s say the same: %q and %q", other, c.Type, message, c.Message)
			}
		}
		said[c.Message] = c.Type
	}
}

// holdsEvents: the API server takes them, and they say something.
func holdsEvents(t tester, p plan.Plan) {
	t.Helper()
	for _, e := range p.Events {
		if e.Type != corev1.EventTypeNormal && e.Type != corev1.EventTypeWarning {
			t.Errorf("event of type %q", e.Type)
		}
		if e.Reason == "" || len(e.Reason) > 128 || strings.TrimSpace(e.Note) == "" || len(e.Note) > 1024 || !utf8.ValidString(e.Note) {
			t.Errorf("event would be refused: reason %q, note of %d bytes: %q", e.Reason, len(e.Note), e.Note)
		}
	}
}

// kstatus is the rule of kstatus for objects it does not know, in the order in which it looks: the words of
// sigs.k8s.io/cli-utils, status.Compute.
func kstatus(session *v1alpha1.DebugSession, status *v1alpha1.DebugSessionStatus) string {
	is := func(condition string, want metav1.ConditionStatus) bool {
		return meta.IsStatusConditionPresentAndEqual(status.Conditions, condition, want)
	}
	switch {
	case status.ObservedGeneration != session.Generation:
		return "InProgress"
	case is("Reconciling", metav1.ConditionTrue):
		return "InProgress"
	case is("Stalled", metav1.ConditionTrue):
		return "Failed"
	case is("Ready", metav1.ConditionTrue):
		return "Current"
	case is("Ready", metav1.ConditionFalse), is("Ready", metav1.ConditionUnknown):
		return "InProgress"
	default:
		return "Current" // kstatus takes an object without conditions for done: a phase must never be without
	}
}

// kstatusOf is what a tool that applies a session should take it for.
func kstatusOf(status *v1alpha1.DebugSessionStatus) string {
	switch status.Phase {
	case v1alpha1.PhaseActive:
		return "Current"
	case v1alpha1.PhaseEnded:
		switch status.Outcome {
		case v1alpha1.OutcomeRejected, v1alpha1.OutcomeDenied, v1alpha1.OutcomeTimedOut, v1alpha1.OutcomeNotStarted, v1alpha1.OutcomeFailed:
			return "Failed"
		case v1alpha1.OutcomeTargetGone:
			if status.Debugger == nil || status.Debugger.StartedAt == nil {
				return "Failed"
			}
		}
		return "Current"
	case v1alpha1.PhasePending:
		if status.Reason == v1alpha1.ReasonArmed {
			return "Current" // it may be so for days, and whoever applied it is not to wait
		}
		return "InProgress"
	default:
		return "InProgress"
	}
}
