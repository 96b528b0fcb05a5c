package plan_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// family is a cluster of one session with members: the session, what it has made, and its pods.
type family struct {
	t          tester
	now        time.Time
	parent     *v1alpha1.DebugSession            // nil if it is gone
	members    map[string]*v1alpha1.DebugSession // by name
	pods       map[string]*corev1.Pod            // the targets, by name
	copies     map[string]*corev1.Pod            // what members have made, by name
	class      *v1alpha1.DebugClass
	approvals  []approval.Approval
	running    int32
	made       int  // how many objects were made
	blind      bool // sessions cannot be read
	ended      *v1alpha1.DebugSessionStatus
	access     map[types.UID]plan.AccessState
	finalizers []string        // of the session that is reconciled
	refuse     map[string]bool // pods whose member is refused
	mayNot     bool            // the requester may not use the class any more
}

func newFamily(t tester, session *v1alpha1.DebugSession, pods ...*corev1.Pod) *family {
	f := &family{t: t, now: now, parent: session.DeepCopy(), class: fixture.Class(), members: map[string]*v1alpha1.DebugSession{},
		pods: map[string]*corev1.Pod{}, copies: map[string]*corev1.Pod{}, refuse: map[string]bool{}, access: map[types.UID]plan.AccessState{}}
	f.parent.Finalizers = []string{v1alpha1.Finalizer}
	for _, pod := range pods {
		f.pods[pod.Name] = pod
	}
	return f
}

func ofAll(options ...fixture.SessionOption) *v1alpha1.DebugSession {
	return fixture.Session(append([]fixture.SessionOption{fixture.OfWorkload("Deployment", "web"), fixture.All(3)}, options...)...)
}

func threePods() []*corev1.Pod {
	return []*corev1.Pod{fixture.Pod(fixture.Named("web-1")), fixture.Pod(fixture.Named("web-2")), fixture.Pod(fixture.Named("web-3"))}
}

func (f *family) view(session *v1alpha1.DebugSession) view {
	v := about(session, at(f.now))
	v.class, v.approvals, v.store = new(plan.Found(f.class)), new(plan.Found(f.approvals)), false
	v.running, v.mayUse = new(plan.Found(plan.Running{InNamespace: f.running})), new(plan.Found(!f.mayNot))
	var pods []corev1.Pod
	for _, name := range slices.Sorted(maps.Keys(f.pods)) {
		pods = append(pods, *f.pods[name])
	}
	v.candidates, v.watched, v.mayDeclare = new(plan.Found(pods)), new(plan.Found(pods)), new(plan.Found(true))
	v.target, v.copied, v.output = new(observed(f.pods[session.Spec.Target.PodName])), new(absent()), new(plan.Found("done"))
	if made := session.Status.Debugger; made != nil {
		v.copied = new(observed(f.copies[made.PodName]))
	}
	v.parent = new(plan.Absent[*plan.Parent]())
	if f.parent != nil {
		v.parent = new(plan.Found(&plan.Parent{Session: f.parent}))
	}
	v.members = new(plan.Found(maps.Clone(f.members)))
	if f.blind {
		v.parent = new(plan.Unknown[*plan.Parent](errOffline))
		v.members = new(plan.Unknown[map[string]*v1alpha1.DebugSession](errOffline))
		v.watched = new(plan.Unknown[[]corev1.Pod](errOffline))
	}
	v.access = new(f.access[session.UID])
	return v
}

// reconcile is one pass of one session.
func (f *family) reconcile(session *v1alpha1.DebugSession) plan.Plan {
	f.t.Helper()
	before := session.DeepCopy()
	f.finalizers = session.Finalizers
	p := passOf(f.t, f.view(session), func(actions []plan.Action) []plan.Result {
		var results []plan.Result
		for _, action := range actions {
			result := f.perform(session, action)
			results = append(results, result)
			if result.Refusal != nil || result.Gone {
				break
			}
		}
		return results
	})
	session.Status, session.Finalizers = p.Status, f.finalizers
	if f.parent != nil && session.UID == f.parent.UID {
		f.checkParent()
	}
	if before.Status.Phase == v1alpha1.PhaseEnded && session.Status.Phase != v1alpha1.PhaseEnded {
		f.t.Fatalf("a session that had ended is %s", session.Status.Phase)
	}
	return p
}

func (f *family) perform(session *v1alpha1.DebugSession, action plan.Action) plan.Result {
	result := plan.Result{Action: action}
	switch a := action.(type) {
	case plan.CreateMember:
		f.checkCreation(session, a.Session)
		if f.refuse[a.Session.Spec.Target.PodName] {
			result.Refusal = &plan.Refusal{Reason: v1alpha1.ReasonRefused, Message: "exceeded quota"}
			return result
		}
		if there := f.members[a.Session.Name]; there != nil {
			if !plan.IsMemberOf(there, session) {
				result.Refusal = plan.MemberNameTaken(there.Name)
			}
			result.Made = there.UID
			return result
		}
		f.made++
		member := a.Session.DeepCopy()
		member.UID, member.Generation = types.UID(fmt.Sprint("member-", f.made)), 1
		member.CreationTimestamp, member.Status.ObservedGeneration = metav1.NewTime(f.now), -1
		f.members[member.Name] = member
		result.Made = member.UID
	case plan.InjectDebugger:
		f.checkDebugger(session)
		pod := f.pods[a.Pod.Name]
		if pod == nil || pod.UID != a.UID {
			result.Gone = true
			return result
		}
		if !slices.ContainsFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == a.Container.Name }) {
			fixture.Ephemeral(a.Container.Name)(pod)
		}
	case plan.CreatePod:
		f.checkDebugger(session)
		f.made++
		made := a.Pod.DeepCopy()
		made.UID, made.Status.Phase, made.Spec.NodeName = types.UID(fmt.Sprint("copy-", f.made)), corev1.PodRunning, "node-1"
		f.copies[made.Name] = made
	case plan.GrantAccess:
		f.access[session.UID] = plan.AccessGranted
	case plan.RevokeAccess:
		f.access[session.UID] = plan.AccessRevoked
	case plan.DeletePod:
		delete(f.copies, a.Pod.Name)
	case plan.StopDebugger:
		if pod := f.pods[a.Pod.Name]; pod != nil {
			fixture.EphemeralState(a.Container, fixture.Exited(f.now, 137, "Error", ""))(pod)
		}
	case plan.RemoveFinalizer:
		f.finalizers = nil
	case plan.AddFinalizer:
		f.finalizers = []string{v1alpha1.Finalizer}
	}
	return result
}

// checkCreation: a member is made of what was persisted, and as it was.
func (f *family) checkCreation(session, member *v1alpha1.DebugSession) {
	if phase := session.Status.Phase; phase != v1alpha1.PhaseStarting && phase != v1alpha1.PhaseActive {
		f.t.Fatalf("a member is made, and its session is %s", phase)
	}
	if !plan.IsMemberOf(member, session) {
		f.t.Fatalf("a member is made that was not recorded: %s", member.Name)
	}
	if member.Spec.Requester.Username != session.Spec.Requester.Username || len(member.Labels)+len(member.Annotations) > 0 {
		f.t.Fatalf("a member is made for another, or with another's marks: %+v", member)
	}
}

// checkDebugger: nothing is made for a member that its session has not recorded by its UID, nor while that does not run.
func (f *family) checkDebugger(member *v1alpha1.DebugSession) {
	switch {
	case member.Spec.MemberOf == nil:
		f.t.Fatalf("a session with members makes a debugger itself")
	case f.parent == nil || f.parent.UID != member.Spec.MemberOf.UID:
		f.t.Fatalf("a member whose session is gone makes a debugger")
	case f.blind:
		f.t.Fatalf("a member makes a debugger, and cannot know whether its session runs")
	}
	if phase := f.parent.Status.Phase; phase != v1alpha1.PhaseStarting && phase != v1alpha1.PhaseActive {
		f.t.Fatalf("a member makes a debugger, and its session is %s", phase)
	}
	if !slices.ContainsFunc(f.parent.Status.Members, func(row v1alpha1.MemberStatus) bool {
		return row.UID == member.UID && row.PodName == member.Spec.Target.PodName && row.Number == member.Spec.MemberOf.Number
	}) {
		f.t.Fatalf("a member makes a debugger that its session has not recorded")
	}
	if required := f.class.Spec.Approval; required != nil && !slices.ContainsFunc(f.approvals, func(a approval.Approval) bool { return a.Spec.Decision == v1alpha1.DecisionApprove }) &&
		f.parent.Status.Review == nil && len(f.parent.Status.Approvals) == 0 {
		f.t.Fatalf("a member makes a debugger, and nobody has approved its session")
	}
}

// checkParent: a session with members says Ended only when no member is open, and nothing of one is left. That is final. No trigger is used twice.
func (f *family) checkParent() {
	status := &f.parent.Status
	used := map[string]bool{}
	for _, row := range status.Members {
		if trigger := string(row.PodUID) + row.Trigger; used[trigger] {
			f.t.Fatalf("a trigger is used twice: %s", row.Trigger)
		} else {
			used[trigger] = true
		}
	}
	if f.ended != nil && !equality.Semantic.DeepEqual(f.ended.Members, status.Members) {
		f.t.Fatalf("the members of an ended session are written again")
	}
	if status.Phase != v1alpha1.PhaseEnded {
		return
	}
	f.ended = status.DeepCopy()
	if times := int(f.parent.Spec.Target.Times()); times > 0 && len(status.Members) > times {
		f.t.Fatalf("triggered %d times of %d", len(status.Members), times)
	}
	for _, member := range f.members {
		if member.Spec.MemberOf.UID == f.parent.UID && member.Status.Phase != v1alpha1.PhaseEnded && wasMade(member) {
			f.t.Fatalf("Ended, and member %s is %s", member.Name, member.Status.Phase)
		}
	}
}

func wasMade(member *v1alpha1.DebugSession) bool { return member.Status.StartedAt != nil }

// settle reconciles everything until nothing changes any more.
func (f *family) settle() {
	f.t.Helper()
	for range 50 {
		before := f.state()
		if f.parent != nil {
			f.reconcile(f.parent)
		}
		for _, name := range slices.Sorted(maps.Keys(f.members)) {
			f.reconcile(f.members[name])
		}
		f.kubelet()
		if f.state() == before {
			return
		}
	}
	f.t.Fatalf("it does not settle")
}

func (f *family) state() string {
	var b strings.Builder
	told := json.NewEncoder(&b)
	_ = told.Encode(f.access)
	if f.parent != nil {
		_ = told.Encode(f.parent)
	}
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		_ = told.Encode(f.members[name])
	}
	return b.String()
}

// kubelet runs what was made and does not run yet.
func (f *family) kubelet() {
	for _, member := range f.members {
		at := member.Status.Debugger
		if at == nil || member.Status.Phase != v1alpha1.PhaseStarting {
			continue
		}
		if pod := f.pods[at.PodName]; pod != nil && member.Spec.Mode == v1alpha1.ModeEphemeralContainer &&
			slices.ContainsFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == at.ContainerName }) &&
			!slices.ContainsFunc(pod.Status.EphemeralContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == at.ContainerName }) {
			fixture.EphemeralState(at.ContainerName, fixture.Running(f.now))(pod)
		}
		if pod := f.copies[at.PodName]; pod != nil {
			fixture.ContainerState(at.ContainerName, fixture.Running(f.now))(pod)
		}
	}
}

// exit has the debugger of a pod exit.
func (f *family) exit(pod string, code int32) {
	for _, member := range f.members {
		if member.Spec.Target.PodName == pod && member.Status.Debugger != nil && f.pods[pod] != nil && member.Status.Phase != v1alpha1.PhaseEnded {
			fixture.EphemeralState(member.Status.Debugger.ContainerName, fixture.Exited(f.now, code, "Completed", ""))(f.pods[pod])
		}
	}
}

func (f *family) row(pod string) *v1alpha1.MemberStatus {
	for i := range f.parent.Status.Members {
		if f.parent.Status.Members[i].PodName == pod {
			return &f.parent.Status.Members[i]
		}
	}
	f.t.Fatalf("no member for %s: %+v", pod, f.parent.Status.Members)
	return nil
}

func (f *family) is(phase v1alpha1.Phase, outcome v1alpha1.Outcome) {
	f.t.Helper()
	if status := &f.parent.Status; status.Phase != phase || status.Outcome != outcome {
		f.t.Fatalf("the session is %s %s (%s), want %s %s", status.Phase, status.Outcome, status.Message(), phase, outcome)
	}
}

func (f *family) memberOf(pod string) *v1alpha1.DebugSession { return f.members[f.row(pod).Name] }

func oneShot(s *v1alpha1.DebugSession) {
	s.Spec.Debugger.Command, s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = []string{"date"}, false, false
}

func TestAllPods(t *testing.T) {
	f := newFamily(t, ofAll(oneShot), threePods()...)
	p := f.reconcile(f.parent)
	want{phase: v1alpha1.PhaseStarting, reason: "Starting"}.check(t, p)
	if len(f.members) > 0 || len(f.parent.Status.Members) != 3 || f.row("web-2").UID != "" {
		t.Fatalf("they are recorded before they are made, and recorded is %+v", f.parent.Status.Members)
	}
	if got := f.parent.Status.Target.Name; got != "deployment/web (3)" {
		t.Errorf("the target is %q", got)
	}
	p = f.reconcile(f.parent)
	want{phase: v1alpha1.PhaseStarting, does: "CreateMember CreateMember CreateMember"}.check(t, p)
	f.settle()
	f.is(v1alpha1.PhaseActive, "")
	if got := *f.parent.Status.MemberCounts; got != (v1alpha1.MemberCounts{Total: 3, Active: 3}) {
		t.Errorf("counted %+v", got)
	}
	member := f.memberOf("web-1")
	if member.Status.Phase != v1alpha1.PhaseActive || !member.Status.ExpiresAt.Equal(f.parent.Status.ExpiresAt) ||
		!member.Status.HardDeadline.Equal(f.parent.Status.HardDeadline) || member.Status.Access == nil {
		t.Errorf("a member is %+v, and its session %+v", member.Status, f.parent.Status)
	}
	p = pass(t, f.view(f.parent))
	quiet(t, f.parent, p)

	f.exit("web-1", 0)
	f.settle()
	f.is(v1alpha1.PhaseActive, "")
	if row := f.row("web-1"); row.Outcome != v1alpha1.OutcomeCompleted || row.ExitCode == nil || *row.ExitCode != 0 {
		t.Errorf("its row is %+v", row)
	}
	f.exit("web-2", 0)
	f.exit("web-3", 1)
	f.settle()
	f.is(v1alpha1.PhaseEnded, v1alpha1.OutcomeCompleted)
	if says := f.parent.Status.Message(); !strings.Contains(says, "3 Completed") {
		t.Errorf("it says %q", says)
	}
}

func TestAllPodsEndTogether(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*family)
		want   v1alpha1.Outcome
	}{
		"end":     {func(f *family) { fixture.End(f.parent) }, v1alpha1.OutcomeTerminated},
		"deleted": {func(f *family) { fixture.Deleted(f.parent) }, v1alpha1.OutcomeTerminated},
		"time":    {func(f *family) { f.now = f.parent.Status.ExpiresAt.Add(10 * time.Second) }, v1alpha1.OutcomeExpired},
		"ttl":     {func(f *family) { fixture.TTL(10 * time.Second)(f.parent); f.now = after(21 * time.Second) }, v1alpha1.OutcomeExpired},
		"revoked": {func(f *family) { f.approvals = nil }, v1alpha1.OutcomeRevoked},
	} {
		for _, mode := range []fixture.SessionOption{func(*v1alpha1.DebugSession) {}, fixture.AsCopy()} {
			t.Run(name, func(t *testing.T) {
				f := newFamily(t, ofAll(mode), threePods()...)
				if name == "revoked" {
					f.class = fixture.Class(fixture.Approvals(1))
					f.settle()
					f.is(v1alpha1.PhaseAwaitingApproval, "")
					if len(f.members) > 0 {
						t.Fatal("made before it is approved")
					}
					f.approvals = []approval.Approval{{DebugApproval: fixture.Approval("yes", f.parent, v1alpha1.DecisionApprove, f.now), Sealed: true}}
				}
				f.settle()
				f.is(v1alpha1.PhaseActive, "")
				tc.change(f)
				f.settle()
				f.is(v1alpha1.PhaseEnded, tc.want)
				for _, member := range f.members {
					if member.Status.Phase != v1alpha1.PhaseEnded || member.Status.Outcome != tc.want {
						t.Errorf("%s is %s %s: %s", member.Name, member.Status.Phase, member.Status.Outcome, member.Status.Message())
					}
				}
				if len(f.copies) > 0 {
					t.Error("a copy is left")
				}
			})
		}
	}
}

// What one of the pods or members does not do, the others do.
func TestOneOfThePods(t *testing.T) {
	start := func(t *testing.T) *family {
		f := newFamily(t, ofAll(oneShot), threePods()...)
		f.reconcile(f.parent)
		return f
	}
	t.Run("is gone before its member is made", func(t *testing.T) {
		f := start(t)
		delete(f.pods, "web-2")
		f.settle()
		f.is(v1alpha1.PhaseActive, "")
		if row := f.row("web-2"); row.Outcome != v1alpha1.OutcomeTargetGone {
			t.Errorf("its row is %+v", row)
		}
		f.exit("web-1", 0)
		f.exit("web-3", 0)
		f.settle()
		f.is(v1alpha1.PhaseEnded, v1alpha1.OutcomeFailed)
	})
	t.Run("was replaced", func(t *testing.T) {
		f := start(t)
		f.pods["web-2"] = fixture.Pod(fixture.Named("web-2"), fixture.UID(fixture.OtherUID))
		f.settle()
		if row := f.row("web-2"); row.Outcome != v1alpha1.OutcomeTargetGone {
			t.Errorf("its row is %+v", row)
		}
	})
	t.Run("has a member that is refused", func(t *testing.T) {
		f := start(t)
		f.refuse["web-1"] = true
		f.settle()
		if row := f.row("web-1"); row.Outcome != v1alpha1.OutcomeRejected || !strings.Contains(row.Message, "exceeded quota") {
			t.Errorf("its row is %+v", row)
		}
		if got := *f.parent.Status.MemberCounts; got != (v1alpha1.MemberCounts{Total: 3, Active: 2, Ended: 1, Failed: 1}) {
			t.Errorf("counted %+v", got)
		}
	})
	t.Run("has a member that is ended", func(t *testing.T) {
		f := start(t)
		f.settle()
		fixture.End(f.memberOf("web-1"))
		f.settle()
		f.is(v1alpha1.PhaseActive, "")
		if row := f.row("web-1"); row.Outcome != v1alpha1.OutcomeTerminated {
			t.Errorf("its row is %+v", row)
		}
	})
	t.Run("has a member that is deleted", func(t *testing.T) {
		f := start(t)
		f.settle()
		delete(f.members, f.row("web-1").Name)
		f.settle()
		f.is(v1alpha1.PhaseActive, "")
		if row := f.row("web-1"); row.Outcome != v1alpha1.OutcomeTerminated || len(f.members) != 2 {
			t.Errorf("its row is %+v, and there are %d members", row, len(f.members))
		}
	})
	t.Run("is not as its approvers saw another", func(t *testing.T) {
		f := newFamily(t, ofAll(fixture.AsCopy()), threePods()...)
		f.class = fixture.Class(fixture.Approvals(1))
		f.pods["web-3"].Spec.Containers[0].Image = "other:1"
		f.settle()
		f.approvals = []approval.Approval{{DebugApproval: fixture.Approval("yes", f.parent, v1alpha1.DecisionApprove, f.now), Sealed: true}}
		f.settle()
		if row := f.row("web-3"); row.Outcome != v1alpha1.OutcomeRejected || row.Reason != v1alpha1.ReasonTargetChanged {
			t.Errorf("its row is %+v", row)
		}
		if row := f.row("web-1"); row.Phase != v1alpha1.PhaseActive {
			t.Errorf("another's row is %+v", row)
		}
	})
}

func TestAllPodsThatCannotBe(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*family)
		want   want
	}{
		"too many": {func(f *family) { f.pods["web-4"] = fixture.Pod(fixture.Named("web-4")) }, want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected,
			reason: "TooManyPods", says: "has 4 pods that can be debugged, more than spec.target.all.max (3), so none is"}},
		"one of too many is ending": {func(f *family) {
			f.pods["web-4"] = fixture.Pod(fixture.Named("web-4"), fixture.Terminating)
		}, want{phase: v1alpha1.PhaseStarting}},
		"none": {func(f *family) { clear(f.pods) }, want{phase: v1alpha1.PhasePending, reason: "TargetNotFound", warns: "TargetNotFound"}},
		"a class that does not speak of it": {func(f *family) { f.class.Spec.Limits = nil }, want{phase: v1alpha1.PhaseEnded, reason: "ClassForbids",
			says: "set the class's limits.maxMembers"}},
		"a class that allows fewer":       {func(f *family) { f.class.Spec.Limits.MaxMembers = 2 }, want{phase: v1alpha1.PhaseEnded, reason: "ClassForbids", says: "exceeds the maximum of 2"}},
		"a debugger that cannot be built": {func(f *family) { f.parent.Spec.Debugger.MountsFrom = "nobody" }, want{phase: v1alpha1.PhaseEnded, reason: "Invalid", outcome: v1alpha1.OutcomeRejected}},
		"a limit that it fits in":         {func(f *family) { f.class.Spec.Limits.PerNamespace = 3 }, want{phase: v1alpha1.PhaseStarting}},
		"a limit that is reached": {func(f *family) { f.class.Spec.Limits.PerNamespace = 3; f.running = 1 }, want{phase: v1alpha1.PhasePending, reason: "LimitReached",
			says: "1 sessions of class \"standard\" run in namespace \"shop\", and with 3 pods there would be more", warns: "LimitReached"}},
		"a limit that it never fits in": {func(f *family) { f.class.Spec.Limits.PerNamespace = 2 }, want{phase: v1alpha1.PhaseEnded, reason: "LimitReached", outcome: v1alpha1.OutcomeRejected}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t, ofAll(), threePods()...)
			tc.change(f)
			p := f.reconcile(f.parent)
			if tc.want.outcome == v1alpha1.OutcomeRejected || tc.want.reason == "ClassForbids" {
				tc.want.warns = string(v1alpha1.OutcomeRejected)
			}
			tc.want.check(t, p)
		})
	}
}

// Whoever can write a session past admission gets nothing by calling it a member.
func TestFalseMembers(t *testing.T) {
	for name, change := range map[string]func(f *family, member *v1alpha1.DebugSession){
		"that nobody has recorded": func(_ *family, m *v1alpha1.DebugSession) { m.Name = "mine" },
		"with another UID":         func(_ *family, m *v1alpha1.DebugSession) { m.UID = "mine" },
		"with another command":     func(_ *family, m *v1alpha1.DebugSession) { m.Spec.Debugger.Command = []string{"cat", "/secret"} },
		"with another image":       func(_ *family, m *v1alpha1.DebugSession) { m.Spec.Debugger.Image = "evil" },
		"of another pod":           func(_ *family, m *v1alpha1.DebugSession) { m.Spec.Target.PodName = "web-2" },
		"for somebody else":        func(_ *family, m *v1alpha1.DebugSession) { m.Spec.Requester.Username = "mallory" },
		"with others' access": func(_ *family, m *v1alpha1.DebugSession) {
			m.Spec.Access = &v1alpha1.Access{Subjects: []v1alpha1.Subject{{Kind: "User", Name: "mallory"}}}
		},
		"without an end":                     func(_ *family, m *v1alpha1.DebugSession) { m.Spec.NotAfter = nil },
		"of another class":                   func(_ *family, m *v1alpha1.DebugSession) { m.Spec.ClassName = "lax" },
		"of a session that nobody asked for": nil,
		"of a session of another UID":        func(_ *family, m *v1alpha1.DebugSession) { m.Spec.MemberOf.UID = "another" },
		"of a session that is gone":          func(f *family, _ *v1alpha1.DebugSession) { f.parent = nil },
		"of a session that was made again":   func(f *family, _ *v1alpha1.DebugSession) { f.parent.UID = "again" },
		"of a session that ends":             func(f *family, _ *v1alpha1.DebugSession) { fixture.End(f.parent); f.reconcile(f.parent) },
		"of a session of one pod": func(f *family, _ *v1alpha1.DebugSession) {
			f.parent.Spec.Target.All, f.parent.Status.Members = nil, nil
		},
		"of a session that is somebody else's": func(f *family, _ *v1alpha1.DebugSession) { f.parent.Spec.Requester.Username = "bob" },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t, ofAll(), threePods()...)
			f.reconcile(f.parent)
			f.reconcile(f.parent)
			member := f.memberOf("web-1").DeepCopy()
			v := f.view(member)
			if change != nil {
				change(f, member)
				v = f.view(member)
			} else {
				v.parent = new(plan.Found(&plan.Parent{Session: f.parent, Distrust: &plan.Refusal{Reason: v1alpha1.ReasonNotTrusted, Message: "not stamped"}}))
			}
			p := pass(t, v)
			if p.Status.Phase != v1alpha1.PhaseEnded || p.Status.StartedAt != nil || does(p) != "" {
				t.Errorf("it is %s (%s), and does %q", p.Status.Phase, said(p), does(p))
			}
		})
	}
	t.Run("that is not recorded by its UID yet", func(t *testing.T) {
		f := newFamily(t, ofAll(), threePods()...)
		f.reconcile(f.parent)
		recorded := f.parent.DeepCopy()
		f.reconcile(f.parent)
		member := f.memberOf("web-1")
		f.parent = recorded
		p := pass(t, f.view(member))
		if p.Status.Phase != "" || does(p) != "" {
			t.Errorf("it is %s (%s), and does %q", p.Status.Phase, said(p), does(p))
		}
		quiet(t, member, p)
	})
	for name, change := range map[string]func(parent *v1alpha1.DebugSession){
		"that are not recorded":             func(parent *v1alpha1.DebugSession) { parent.Status.Members = nil },
		"of a session that has not started": func(parent *v1alpha1.DebugSession) { parent.Status = v1alpha1.DebugSessionStatus{} },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t, ofAll(), threePods()...)
			f.reconcile(f.parent)
			f.reconcile(f.parent)
			member := f.memberOf("web-1").DeepCopy()
			change(f.parent)
			want{phase: v1alpha1.PhasePending, reason: "Unreadable", says: "recorded 0 members so far", retries: true, warns: "Unreadable"}.check(t, pass(t, f.view(member)))
		})
	}
	t.Run("while its session cannot be read", func(t *testing.T) {
		f := newFamily(t, ofAll(), threePods()...)
		f.reconcile(f.parent)
		f.reconcile(f.parent)
		f.blind = true
		want{phase: v1alpha1.PhasePending, reason: "Unreadable", retries: true, warns: "Unreadable"}.check(t, pass(t, f.view(f.memberOf("web-1"))))
	})
}

// A member that was admitted ends when its session is gone, and at its own time when that cannot be read.
func TestMembersThatAreLeft(t *testing.T) {
	f := newFamily(t, ofAll(), threePods()...)
	f.settle()
	member := f.memberOf("web-1")
	f.blind = true
	p := pass(t, f.view(member))
	if p.Status.Phase != v1alpha1.PhaseActive || p.Retry == nil {
		t.Errorf("while its session cannot be read it is %s", p.Status.Phase)
	}
	f.now = member.Status.ExpiresAt.Time
	if p := pass(t, f.view(member)); p.Status.Phase != v1alpha1.PhaseEnding {
		t.Errorf("when its time is up it is %s", p.Status.Phase)
	}
	f.blind, f.now, f.parent = false, now, nil
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTerminated, says: "is gone"}.check(t, pass(t, f.view(member)))
}

// A session's longer or shorter time is its members' too.
func TestMembersKeepToTheTimeOfTheirSession(t *testing.T) {
	f := newFamily(t, ofAll(), threePods()...)
	f.settle()
	fixture.TTL(20 * time.Minute)(f.parent)
	f.reconcile(f.parent)
	p := f.reconcile(f.memberOf("web-1"))
	if !p.Status.ExpiresAt.Equal(f.parent.Status.ExpiresAt) || !f.parent.Status.ExpiresAt.Time.Equal(now.Add(20*time.Minute)) {
		t.Errorf("it ends at %s, and its session at %s", p.Status.ExpiresAt, f.parent.Status.ExpiresAt)
	}
}

// Whatever happens to a session, its members and their pods, in whatever order: nothing is made that is not recorded, and all of it ends.
func TestAnySequenceOfEventsOfMembers(t *testing.T) {
	checks(t, sequences)
	repeatable(t)
	events := map[string]func(*rapid.T, *family){
		"the session":  func(_ *rapid.T, f *family) { f.reconcileParent() },
		"the session ": func(_ *rapid.T, f *family) { f.reconcileParent() },
		"a member":     func(t *rapid.T, f *family) { f.someMember(t, func(m *v1alpha1.DebugSession) { f.reconcile(m) }) },
		"a member ":    func(t *rapid.T, f *family) { f.someMember(t, func(m *v1alpha1.DebugSession) { f.reconcile(m) }) },
		"a member  ":   func(t *rapid.T, f *family) { f.someMember(t, func(m *v1alpha1.DebugSession) { f.reconcile(m) }) },
		"kubelets":     func(_ *rapid.T, f *family) { f.kubelet() },
		"an exit": func(t *rapid.T, f *family) {
			f.exit(rapid.SampledFrom([]string{"web-1", "web-2", "web-3"}).Draw(t, "pod"), 0)
		},
		"a pod goes": func(t *rapid.T, f *family) {
			delete(f.pods, rapid.SampledFrom([]string{"web-1", "web-2", "web-3"}).Draw(t, "pod"))
		},
		"later":       func(_ *rapid.T, f *family) { f.now = f.now.Add(2 * time.Minute) },
		"end":         func(_ *rapid.T, f *family) { f.ifThere(fixture.End) },
		"deletion":    func(_ *rapid.T, f *family) { f.ifThere(fixture.Deleted) },
		"another ttl": func(t *rapid.T, f *family) { f.ifThere(fixture.TTL(drawTTL(t))) },
		"approval": func(_ *rapid.T, f *family) {
			if f.parent != nil && f.parent.Status.Request != nil {
				f.approvals = []approval.Approval{{DebugApproval: fixture.Approval("yes", f.parent, v1alpha1.DecisionApprove, f.now), Sealed: true}}
			}
		},
		"no approval":   func(_ *rapid.T, f *family) { f.approvals = nil },
		"a member ends": func(t *rapid.T, f *family) { f.someMember(t, fixture.End) },
		"a member goes": func(t *rapid.T, f *family) {
			f.someMember(t, func(m *v1alpha1.DebugSession) {
				if len(m.Finalizers) == 0 || m.Status.Debugger == nil {
					delete(f.members, m.Name)
				}
			})
		},
		"the session is gone": func(t *rapid.T, f *family) {
			if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 {
				f.parent = nil
			}
		},
		"reads": func(_ *rapid.T, f *family) { f.blind = !f.blind },
		"a crash": func(t *rapid.T, f *family) {
			f.crash(rapid.SampledFrom([]string{"web-1", "web-2", "web-3"}).Draw(t, "pod"))
		},
		"a crash ": func(t *rapid.T, f *family) {
			f.crash(rapid.SampledFrom([]string{"web-1", "web-2", "web-3"}).Draw(t, "pod"))
		},
		"rights": func(_ *rapid.T, f *family) { f.mayNot = !f.mayNot },
	}
	names := slices.Sorted(maps.Keys(events))
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom([]fixture.SessionOption{func(*v1alpha1.DebugSession) {}, fixture.AsCopy()}).Draw(t, "mode")
		asks := rapid.SampledFrom([]func(...fixture.SessionOption) *v1alpha1.DebugSession{ofAll, ofTimes}).Draw(t, "all or times")
		f := newFamily(t, asks(mode), threePods()...)
		if rapid.Bool().Draw(t, "approval") {
			f.class = fixture.Class(fixture.Approvals(1))
		}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			name := rapid.SampledFrom(names).Draw(t, "event")
			events[name](t, f)
		}
		f.blind = false
		f.ifThere(fixture.End)
		f.now = f.now.Add(48 * time.Hour)
		f.settle()
		if f.parent != nil && f.parent.Status.Phase != v1alpha1.PhaseEnded {
			t.Fatalf("the session is %s: %s", f.parent.Status.Phase, f.parent.Status.Message())
		}
		for _, member := range f.members {
			if member.Status.Phase != v1alpha1.PhaseEnded {
				t.Fatalf("member %s is %s: %s", member.Name, member.Status.Phase, member.Status.Message())
			}
		}
		if len(f.copies) > 0 {
			t.Fatalf("copies are left: %v", slices.Collect(maps.Keys(f.copies)))
		}
	})
}

func (f *family) reconcileParent() {
	if f.parent != nil {
		f.reconcile(f.parent)
	}
}

func (f *family) ifThere(change fixture.SessionOption) {
	if f.parent != nil {
		before := f.parent.Spec.DeepCopy()
		change(f.parent)
		if !equality.Semantic.DeepEqual(before, &f.parent.Spec) {
			f.parent.Generation++
		}
	}
}

func (f *family) someMember(t *rapid.T, do func(*v1alpha1.DebugSession)) {
	if len(f.members) > 0 {
		do(f.members[rapid.SampledFrom(slices.Sorted(maps.Keys(f.members))).Draw(t, "member")])
	}
}

// Nobody watches many pods: those that are waited for are looked at again before long.
func TestAllPodsAreLookedAtAgain(t *testing.T) {
	pods := threePods()
	fixture.ContainerState("app", fixture.Waiting("ContainerCreating", ""))(pods[0])
	f := newFamily(t, ofAll(), pods...)
	var p plan.Plan
	for range 3 {
		p = f.reconcile(f.parent)
	}
	if p.Status.Reason != v1alpha1.ReasonTargetNotStarted || p.WakeAt.IsZero() || p.WakeAt.After(f.now.Add(time.Minute)) {
		t.Errorf("reason %q, looked at again at %s, want %s within a minute", p.Status.Reason, p.WakeAt, v1alpha1.ReasonTargetNotStarted)
	}
}
