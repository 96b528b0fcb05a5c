package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// ofTimes waits for three crashes.
func ofTimes(options ...fixture.SessionOption) *v1alpha1.DebugSession {
	return ofWeb(append([]fixture.SessionOption{fixture.Crashed, fixture.Times(3)}, options...)...)
}

// crash has a pod's container be restarted, a second after all that was.
func (f *family) crash(pod string) {
	f.now = f.now.Add(time.Second)
	if f.pods[pod] != nil {
		restarted(f.now, 1, "Error")(f.pods[pod])
	}
	f.now = f.now.Add(time.Second)
}

// armedFamily is one that is armed.
func armedFamily(t *testing.T, options ...fixture.SessionOption) *family {
	t.Helper()
	f := newFamily(t, ofTimes(options...), threePods()...)
	f.settle()
	f.is(v1alpha1.PhasePending, "")
	if f.parent.Status.Reason != v1alpha1.ReasonArmed || !strings.Contains(f.parent.Status.Message(), "waiting for trigger 1 of 3, until a pod of deployment/web crashes; pods watched: 3") {
		t.Fatalf("it is %s: %s", f.parent.Status.Reason, f.parent.Status.Message())
	}
	return f
}

func (f *family) rows(count int) []v1alpha1.MemberStatus {
	f.t.Helper()
	if rows := f.parent.Status.Members; len(rows) != count {
		f.t.Fatalf("%d members, want %d: %+v; %s", len(rows), count, rows, f.parent.Status.Message())
	}
	return f.parent.Status.Members
}

func TestTriggeredThreeTimes(t *testing.T) {
	f := armedFamily(t, oneShot)
	f.crash("web-2")
	p := f.reconcile(f.parent)
	want{phase: v1alpha1.PhaseStarting, reason: "Starting", warns: "Triggered"}.check(t, p)
	row := f.rows(1)[0]
	if len(f.members) > 0 || row.PodName != "web-2" || row.Number != 1 || row.UID != "" || !strings.HasPrefix(row.Trigger, `web-2 crashed: container "app" ended`) || row.TriggeredAt == nil {
		t.Fatalf("it is recorded before it is made, and recorded is %+v", row)
	}
	if got := f.parent.Status; got.Target.Name != "deployment/web (1 of 3)" || got.Target.Choice != row.Trigger || !got.ExpiresAt.Time.Equal(notAfter) || got.ExpiresAt.Equal(got.StartedAt) {
		t.Errorf("its status is %+v", got)
	}
	f.settle()
	f.is(v1alpha1.PhaseActive, "")
	member := f.memberOf("web-2")
	if member.Status.Phase != v1alpha1.PhaseActive || member.Status.Target.Choice != row.Trigger || member.Spec.MemberOf.Number != 1 || !strings.HasPrefix(member.Name, f.parent.Name+"-1-") {
		t.Errorf("its member is %+v", member)
	}
	if lasts := member.Status.ExpiresAt.Sub(member.Status.StartedAt.Time); lasts != f.parent.Status.Armed.TTL.Duration || !member.Status.HardDeadline.Time.Equal(notAfter) {
		t.Errorf("its member lasts %s, until %s at most, and the session's ttl is %s", lasts, member.Status.HardDeadline, f.parent.Status.Armed.TTL)
	}
	if says := f.parent.Status.Message(); !strings.Contains(says, "1 of 1 debuggers run; waiting for trigger 2 of 3, until a pod of") {
		t.Errorf("it says %q", says)
	}
	quiet(t, f.parent, pass(t, f.view(f.parent)))

	f.crash("web-2") // while its member runs, and so it is no trigger
	f.settle()
	f.rows(1)
	f.now = f.now.Add(time.Second)
	f.exit("web-2", 0)
	f.settle()
	f.is(v1alpha1.PhaseActive, "")
	if says := f.parent.Status.Message(); f.parent.Status.Reason != v1alpha1.ReasonArmed || !strings.Contains(says, "waiting for trigger 2 of 3") || !strings.Contains(says, "1 Completed") {
		t.Errorf("it is %s: %q", f.parent.Status.Reason, says)
	}
	if !meta.IsStatusConditionTrue(f.parent.Status.Conditions, v1alpha1.ConditionReady) {
		t.Error("it waits, as it should, and is not Ready")
	}
	f.now = f.now.Add(time.Minute)
	p = pass(t, f.view(f.parent))
	quiet(t, f.parent, p)
	if !p.WakeAt.Equal(notAfter) {
		t.Errorf("it wakes at %s", p.WakeAt)
	}

	f.crash("web-2") // and again, after
	f.settle()
	if rows := f.rows(2); rows[1].PodUID != rows[0].PodUID || rows[1].Name == rows[0].Name || rows[1].Phase != v1alpha1.PhaseActive {
		t.Fatalf("the rows are %+v", rows)
	}
	f.crash("web-1")
	f.settle()
	f.rows(3)
	if says := f.parent.Status.Message(); says != "2 of 3 debuggers run; 1 have ended" {
		t.Errorf("it says %q", says)
	}
	f.crash("web-3") // one more than it is to be
	f.exit("web-1", 0)
	f.exit("web-2", 3)
	f.settle()
	f.is(v1alpha1.PhaseEnded, v1alpha1.OutcomeCompleted)
	f.rows(3)
}

func TestTwoPodsCrashAtOnce(t *testing.T) {
	f := armedFamily(t)
	restarted(after(time.Second), 1, "Error")(f.pods["web-3"])
	restarted(after(time.Second), 1, "Error")(f.pods["web-1"])
	f.now = after(2 * time.Second)
	f.settle()
	if rows := f.rows(2); rows[0].PodName != "web-1" || rows[1].PodName != "web-3" {
		t.Errorf("the rows are %+v", rows)
	}
}

// What happened is answered once, whatever the clock of its node says.
func TestATriggerIsUsedOnce(t *testing.T) {
	f := armedFamily(t, oneShot)
	restarted(after(time.Hour/2), 1, "Error")(f.pods["web-1"]) // its node's clock is ahead
	f.now = after(2 * time.Second)
	f.settle()
	f.rows(1)
	f.exit("web-1", 0)
	f.settle()
	f.now = f.now.Add(time.Minute)
	f.settle()
	if rows := f.rows(1); rows[0].Phase != v1alpha1.PhaseEnded {
		t.Fatalf("the rows are %+v", rows)
	}
	restarted(after(time.Hour/2+time.Minute), 1, "Error")(f.pods["web-1"])
	f.settle()
	f.rows(2)
}

func TestNotReadyMoreThanOnce(t *testing.T) {
	f := newFamily(t, ofWeb(fixture.NotReadyFor(2*time.Minute), fixture.Times(3), oneShot), threePods()...)
	f.settle()
	unready(after(time.Minute))(f.pods["web-1"])
	f.now = after(3 * time.Minute)
	f.settle()
	f.rows(1)
	f.exit("web-1", 0)
	f.settle()

	f.now = after(20 * time.Minute) // and it has not been ready since
	f.settle()
	if rows := f.rows(1); rows[0].Phase != v1alpha1.PhaseEnded || f.parent.Status.Reason != v1alpha1.ReasonArmed {
		t.Fatalf("the rows are %+v: %s", rows, f.parent.Status.Message())
	}
	unready(after(21 * time.Minute))(f.pods["web-1"]) // it was ready in between
	f.now = after(22 * time.Minute)
	f.settle()
	f.rows(1)
	if p := pass(t, f.view(f.parent)); !p.WakeAt.Equal(after(23 * time.Minute)) {
		t.Errorf("it wakes at %s", p.WakeAt)
	}
	f.now = after(23 * time.Minute)
	f.settle()
	f.rows(2)
	unready(after(24 * time.Minute))(f.pods["web-1"]) // while its member runs: it is reckoned from the end of that
	f.now = after(25 * time.Minute)
	f.exit("web-1", 0)
	f.settle()
	f.now = after(26 * time.Minute)
	f.settle()
	f.rows(2)
	f.now = after(27 * time.Minute)
	f.settle()
	f.rows(3)
}

func TestEndsOfOneThatIsTriggered(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*family)
		want   v1alpha1.Outcome
		says   string
	}{
		"end":     {func(f *family) { fixture.End(f.parent) }, v1alpha1.OutcomeTerminated, ""},
		"deleted": {func(f *family) { fixture.Deleted(f.parent) }, v1alpha1.OutcomeTerminated, ""},
		"revoked": {func(f *family) { f.approvals = nil }, v1alpha1.OutcomeRevoked, ""},
		"denied": {func(f *family) {
			f.approvals = append(f.approvals, approval.Approval{DebugApproval: fixture.Approval("no", f.parent, v1alpha1.DecisionDeny, f.now), Sealed: true})
		}, v1alpha1.OutcomeRevoked, "denied by bob"},
		"time": {func(f *family) { f.now = notAfter }, v1alpha1.OutcomeExpired, "it was triggered 1 of 3 times"},
	} {
		for _, runs := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, while a debugger runs: %t", name, runs), func(t *testing.T) {
				f := newFamily(t, ofTimes(), threePods()...)
				f.class = fixture.Class(fixture.Approvals(1))
				f.settle()
				f.approvals = []approval.Approval{{DebugApproval: fixture.Approval("yes", f.parent, v1alpha1.DecisionApprove, f.now), Sealed: true}}
				f.settle()
				f.crash("web-1")
				f.settle()
				member := f.memberOf("web-1")
				if !runs {
					f.now = member.Status.ExpiresAt.Add(10 * time.Second)
					f.settle()
					if member.Status.Outcome != v1alpha1.OutcomeExpired || f.parent.Status.Phase != v1alpha1.PhaseActive {
						t.Fatalf("its time is its own, and it is %s, its session %s", member.Status.Outcome, f.parent.Status.Phase)
					}
				}
				f.crash("web-2")
				tc.change(f)
				f.settle()
				f.is(v1alpha1.PhaseEnded, tc.want)
				f.rows(1)
				if runs && member.Status.Outcome != tc.want {
					t.Errorf("its member is %s", member.Status.Outcome)
				}
				if says := f.parent.Status.Message(); !strings.Contains(says, tc.says) {
					t.Errorf("says %q, want %q in it", says, tc.says)
				}
			})
		}
	}
	t.Run("never triggered", func(t *testing.T) {
		f := armedFamily(t)
		f.now = notAfter
		f.settle()
		f.is(v1alpha1.PhaseEnded, v1alpha1.OutcomeExpired)
		if f.parent.Status.Reason != v1alpha1.ReasonNotTriggered {
			t.Errorf("the reason is %s", f.parent.Status.Reason)
		}
	})
}

// Whatever becomes of a member, it is one of so many: a pod cannot make it go on for ever.
func TestAMemberThatIsRefusedCounts(t *testing.T) {
	f := armedFamily(t)
	f.refuse["web-1"] = true
	for range 5 {
		f.crash("web-1")
		f.settle()
	}
	f.is(v1alpha1.PhaseEnded, v1alpha1.OutcomeRejected)
	f.rows(3)

	t.Run("and does not make its session look as if it were starting", func(t *testing.T) {
		f := armedFamily(t)
		f.refuse["web-1"] = true
		f.crash("web-1")
		f.settle()
		f.is(v1alpha1.PhaseActive, "")
		if f.parent.Status.Reason != v1alpha1.ReasonArmed {
			t.Errorf("it is %s: %s", f.parent.Status.Reason, f.parent.Status.Message())
		}
	})
	t.Run("also if its pod is gone", func(t *testing.T) {
		f := armedFamily(t)
		f.crash("web-1")
		f.reconcile(f.parent)
		delete(f.pods, "web-1")
		f.settle()
		if rows := f.rows(1); rows[0].Outcome != v1alpha1.OutcomeTargetGone {
			t.Errorf("the row is %+v", rows[0])
		}
	})
	t.Run("also if its requester may not use the class any more", func(t *testing.T) {
		f := armedFamily(t)
		f.mayNot = true
		f.crash("web-1")
		f.settle()
		if rows := f.rows(1); rows[0].Outcome != v1alpha1.OutcomeRejected || rows[0].Reason != v1alpha1.ReasonUseForbidden {
			t.Errorf("the row is %+v", rows[0])
		}
	})
	t.Run("also if it is not as its approvers saw another", func(t *testing.T) {
		f := newFamily(t, ofTimes(fixture.AsCopy()), threePods()...)
		f.class = fixture.Class(fixture.Approvals(1))
		f.pods["web-3"].Spec.Containers[0].Image = "other:1"
		f.settle()
		f.approvals = []approval.Approval{{DebugApproval: fixture.Approval("yes", f.parent, v1alpha1.DecisionApprove, f.now), Sealed: true}}
		f.settle()
		f.crash("web-3")
		f.settle()
		f.crash("web-1")
		f.settle()
		if rows := f.rows(2); rows[0].Reason != v1alpha1.ReasonTargetChanged || rows[1].Phase != v1alpha1.PhaseActive {
			t.Errorf("the rows are %+v", rows)
		}
	})
	t.Run("one that cannot be made in time ends, reckoned from its own trigger", func(t *testing.T) {
		f := armedFamily(t)
		f.now = after(30 * time.Minute)
		f.crash("web-1")
		f.reconcile(f.parent)
		f.now = f.now.Add(plan.StartTimeout)
		f.reconcile(f.parent)
		if rows := f.rows(1); rows[0].Outcome != v1alpha1.OutcomeNotStarted || len(f.members) > 0 {
			t.Errorf("the row is %+v", rows[0])
		}
	})
}

// Nothing more is started when the class does not allow it any more; what runs goes on.
func TestAClassThatForbidsMoreTriggers(t *testing.T) {
	for name, change := range map[string]func(*family){
		"by its limit": func(f *family) { f.class.Spec.Limits.MaxMembers = 2 },
		"by its modes": func(f *family) { f.class.Spec.Modes = []v1alpha1.Mode{v1alpha1.ModePodCopy} },
	} {
		t.Run(name, func(t *testing.T) {
			f := armedFamily(t, oneShot)
			f.crash("web-1")
			f.settle()
			f.class = f.class.DeepCopy()
			change(f)
			f.crash("web-2")
			f.settle()
			f.is(v1alpha1.PhaseActive, "")
			f.rows(1)
			f.exit("web-1", 0)
			f.settle()
			f.is(v1alpha1.PhaseEnded, v1alpha1.OutcomeCompleted)
			if says := f.parent.Status.Message(); !strings.Contains(says, "it was triggered 1 of 3 times, and no more is waited for") {
				t.Errorf("says %q", says)
			}
		})
	}
	t.Run("while it cannot be read", func(t *testing.T) {
		f := armedFamily(t)
		f.crash("web-1")
		f.settle()
		f.crash("web-2")
		v := f.view(f.parent)
		v.class = new(plan.Unknown[*v1alpha1.DebugClass](errOffline))
		if p := pass(t, v); len(p.Status.Members) != 1 || p.Retry == nil {
			t.Errorf("it has %d members, and retries %v", len(p.Status.Members), p.Retry)
		}
	})
}

// An approval that the watch has not seen taken back is no reason to answer another trigger.
func TestATriggerAsksForTheApprovalsAnew(t *testing.T) {
	f := newFamily(t, ofTimes(), threePods()...)
	f.class = fixture.Class(fixture.Approvals(1))
	f.settle()
	f.approvals = []approval.Approval{{DebugApproval: fixture.Approval("yes", f.parent, v1alpha1.DecisionApprove, f.now), Sealed: true}}
	f.settle()
	for _, pod := range []string{"web-1", "web-2"} {
		f.crash(pod)
		v := f.view(f.parent)
		v.freshApprovals = new(plan.Found[[]approval.Approval](nil))
		if p := pass(t, v); len(p.Status.Members) != len(f.parent.Status.Members) || p.Status.Phase != v1alpha1.PhaseEnded && p.Status.Phase != v1alpha1.PhaseEnding {
			t.Errorf("%s: it is %s, with %d members", pod, p.Status.Phase, len(p.Status.Members))
		}
		f.settle()
	}
	f.rows(2)
}

// The time that a session's ttl gives is that of each of its members.
func TestTheTimeOfEachTrigger(t *testing.T) {
	f := armedFamily(t)
	f.crash("web-1")
	f.settle()
	fixture.TTL(20 * time.Minute)(f.parent)
	f.settle()
	if member := f.memberOf("web-1"); member.Status.ExpiresAt.Sub(member.Status.StartedAt.Time) != 20*time.Minute || !f.parent.Status.ExpiresAt.Time.Equal(notAfter) {
		t.Errorf("it ends at %s, and its session at %s", member.Status.ExpiresAt, f.parent.Status.ExpiresAt)
	}
	f.now = notAfter.Add(-5 * time.Minute)
	f.settle()
	f.crash("web-2")
	f.settle()
	if member := f.memberOf("web-2"); !member.Status.ExpiresAt.Time.Equal(notAfter) {
		t.Errorf("it ends at %s, after its session", member.Status.ExpiresAt)
	}
}

// An emergency starts before its approval at each trigger, for as long as that may.
func TestTriggersOfAnEmergency(t *testing.T) {
	f := newFamily(t, ofTimes(declared), threePods()...)
	f.class = fixture.Class(fixture.Approvals(1), func(c *v1alpha1.DebugClassSpec) {
		c.Approval.Emergency = &v1alpha1.EmergencyPolicy{ReviewWithin: metav1.Duration{Duration: 2 * time.Hour}, MaxTTL: &metav1.Duration{Duration: 3 * time.Minute}}
	})
	f.settle()
	f.settle()
	f.crash("web-1")
	f.settle()
	member := f.memberOf("web-1")
	if lasts := member.Status.ExpiresAt.Sub(member.Status.StartedAt.Time); lasts != 3*time.Minute || !f.parent.Status.AwaitsReview() {
		t.Errorf("it lasts %s: %s", lasts, f.parent.Status.Message())
	}
	f.crash("web-2")
	v := f.view(f.parent)
	v.mayDeclare = new(plan.Found(false))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRejected, reason: "EmergencyForbidden"}.check(t, pass(t, v))
	f.settle()
	f.rows(2)
}

func TestTimesThatTheClassOrItsLimitsDoNotAllow(t *testing.T) {
	for name, tc := range map[string]struct {
		limits *v1alpha1.ClassLimits
		others int32
		want   want
	}{
		"a class that does not speak of it": {nil, 0, want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", warns: "Rejected",
			says: "spec.target.when.times: debugging more than the first pod is not allowed"}},
		"a class that allows fewer": {&v1alpha1.ClassLimits{MaxMembers: 2}, 0, want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", warns: "Rejected",
			says: "spec.target.when.times: 3 exceeds the maximum of 2 (limits.maxMembers)"}},
		"a limit that it never fits in": {&v1alpha1.ClassLimits{MaxMembers: 3, PerNamespace: 2}, 0, want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "LimitReached", warns: "Rejected",
			says: "ask for fewer triggers"}},
		"a limit that is reached": {&v1alpha1.ClassLimits{MaxMembers: 3, PerNamespace: 3}, 1, want{phase: v1alpha1.PhasePending, reason: "LimitReached", warns: "LimitReached",
			says: "and with 3 triggers there would be more"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t, ofTimes(), threePods()...)
			f.class, f.running = fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Limits = tc.limits }), tc.others
			tc.want.check(t, f.reconcile(f.parent))
		})
	}
}

// A member of one trigger is none of another.
func TestFalseMembersOfTriggers(t *testing.T) {
	start := func(t *testing.T) (*family, *v1alpha1.DebugSession) {
		f := armedFamily(t)
		f.crash("web-1")
		f.reconcile(f.parent)
		f.reconcile(f.parent)
		return f, f.memberOf("web-1").DeepCopy()
	}
	for name, change := range map[string]func(f *family, member *v1alpha1.DebugSession){
		"with a time of its own": func(_ *family, m *v1alpha1.DebugSession) { fixture.TTL(time.Hour)(m) },
		"of no trigger":          func(_ *family, m *v1alpha1.DebugSession) { m.Spec.MemberOf.Number = 0 },
		"of a trigger of another pod": func(f *family, _ *v1alpha1.DebugSession) {
			f.parent.Status.Members[0].PodName, f.parent.Status.Members[0].PodUID = "web-2", f.pods["web-2"].UID
		},
		"of another trigger of the same pod": func(f *family, _ *v1alpha1.DebugSession) { f.parent.Status.Members[0].Number = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			f, member := start(t)
			change(f, member)
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "NotTrusted", warns: "Rejected"}.check(t, pass(t, f.view(member)))
		})
	}
	t.Run("that is not recorded yet", func(t *testing.T) {
		f, member := start(t)
		member.Spec.MemberOf.Number = 2
		want{phase: v1alpha1.PhasePending, reason: "Unreadable", says: "recorded 1 members so far", retries: true, warns: "Unreadable"}.check(t, pass(t, f.view(member)))
	})
}

// Whoever takes away of its status what says since when it is armed has it end.
func TestATriggeredSessionWhoseStatusIsLost(t *testing.T) {
	f := armedFamily(t)
	f.crash("web-1")
	f.settle()
	f.parent.Status.Armed = nil
	f.settle()
	f.is(v1alpha1.PhaseEnded, v1alpha1.OutcomeFailed)
}

// Pods that are of no use are passed over, and said to be.
func TestPassedOverWhileMembersRun(t *testing.T) {
	f := armedFamily(t)
	f.crash("web-1")
	f.settle()
	fixture.Mirror(f.pods["web-2"])
	f.crash("web-2")
	f.settle()
	f.rows(1)
	if says := f.parent.Status.Message(); !strings.Contains(says, "passed over, as no debugger can be started in it: web-2 crashed") {
		t.Errorf("says %q", says)
	}
}
