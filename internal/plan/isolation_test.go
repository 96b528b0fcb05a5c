package plan_test

import (
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func isolated(c *v1alpha1.PodCopy) { c.Isolate = true }

func TestACopyIsCutOffBeforeItIsThere(t *testing.T) {
	session := admitted(t, fixture.Session(fixture.AsCopy(isolated)), fixture.Pod())
	v := about(session, target(fixture.Pod()), copyIs(absent()))
	p := pass(t, v)
	want{phase: v1alpha1.PhaseStarting, does: "CreateNetworkPolicy CreatePod"}.check(t, p)
	policy, made := p.Actions[0].(plan.CreateNetworkPolicy).Policy, p.Actions[1].(plan.CreatePod).Pod
	for key, value := range policy.Spec.PodSelector.MatchLabels {
		if made.Labels[key] != value {
			t.Errorf("the policy selects %s=%s, and the copy's labels are %v", key, value, made.Labels)
		}
	}
	if len(policy.Spec.PodSelector.MatchLabels) == 0 || len(policy.Spec.PolicyTypes) != 2 || policy.Spec.Ingress != nil ||
		policy.Spec.Egress != nil {
		t.Errorf("the policy is %+v", policy.Spec)
	}
	if !debugpod.OwnedBy(policy, session) {
		t.Error("the policy is not the session's")
	}

	s, decided := v.decide(t)
	refused := plan.Conclude(s, decided,
		[]plan.Result{{Action: decided.Actions[0], Refusal: &plan.Refusal{Reason: "NameTaken", Message: "no"}}})
	want{
		phase:   v1alpha1.PhaseEnding,
		outcome: v1alpha1.OutcomeRejected,
		reason:  "NameTaken",
		does:    "CreateNetworkPolicy CreatePod",
	}.check(t, refused)
	failed := plan.Conclude(s, decided, []plan.Result{{Action: decided.Actions[0], Err: errOffline}})
	want{phase: v1alpha1.PhaseStarting, reason: "Retrying", does: "CreateNetworkPolicy CreatePod", retries: true,
		warns: "Retrying"}.check(t, failed)
}

func TestThePolicyGoesAfterTheCopy(t *testing.T) {
	const uid types.UID = "uid-of-policy"
	policy := func(change func(*networkingv1.NetworkPolicy)) plan.Observed[*networkingv1.NetworkPolicy] {
		p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "its-policy", UID: uid}}
		change(p)
		return plan.Found(p)
	}
	session, made := activeCopy(t, fixture.AsCopy(isolated))
	over := ending(t, session)
	want{phase: v1alpha1.PhaseEnding, does: "DeletePod"}.check(t, pass(t, about(over, copied(made))))

	p := pass(t, about(over, copyIs(absent())))
	want{phase: v1alpha1.PhaseEnding, does: "DeleteNetworkPolicy", wakes: now}.check(t, p) // whatever a look would show
	failed := pass(t, about(over, copyIs(absent())), plan.Result{Action: p.Actions[0], Err: errOffline})
	want{
		phase:   v1alpha1.PhaseEnding,
		does:    "DeleteNetworkPolicy",
		retries: true,
	}.check(t, pass(t, about(written(over, failed), copyIs(absent())),
		plan.Result{Action: p.Actions[0], Err: errOffline}))
	over = written(over, p)

	there := policy(func(*networkingv1.NetworkPolicy) {})
	held := policy(func(p *networkingv1.NetworkPolicy) {
		p.DeletionTimestamp, p.Finalizers = &metav1.Time{Time: now}, []string{"example.com/hold"}
	})
	gone, unseen := plan.Absent[*networkingv1.NetworkPolicy](), plan.Unknown[*networkingv1.NetworkPolicy](errOffline)
	for name, tc := range map[string]struct {
		policy plan.Observed[*networkingv1.NetworkPolicy]
		want   want
	}{
		"is held":            {held, want{phase: v1alpha1.PhaseEnding, wakes: now.Add(15 * time.Second)}},
		"is there":           {there, want{phase: v1alpha1.PhaseEnding, does: "DeleteNetworkPolicy", wakes: now}},
		"is gone":            {gone, want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated}},
		"is not to be known": {unseen, want{phase: v1alpha1.PhaseEnding, retries: true}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(over, copyIs(absent()), func(v *view) { v.isolation = &tc.policy }))
			tc.want.check(t, p)
			if tc.want.does != "" && p.Actions[0] != (plan.DeleteNetworkPolicy{Name: debugpod.IsolationName(session.UID), UID: uid}) {
				t.Errorf("lifts %+v", p.Actions[0])
			}
			if name != "is held" {
				return
			}
			ready := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionDebuggerReady)
			if !strings.Contains(ready.Message, "example.com/hold") {
				t.Errorf("says %q", ready.Message)
			}
			again := pass(t, about(written(over, p), copyIs(absent()), func(v *view) { v.isolation = &tc.policy }))
			tc.want.check(t, again)
			if !equality.Semantic.DeepEqual(again.Status, p.Status) {
				t.Error("says something else each time that it is looked at")
			}
		})
	}
}

func TestReplaceOriginal(t *testing.T) {
	replacing := fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.ReplaceOriginal = v1alpha1.ReplaceIfUncontrolled })
	session := admitted(t, fixture.Session(replacing), fixture.Pod())
	name := session.Status.Debugger.ContainerName
	deletes := plan.ReplaceOriginal{Pod: types.NamespacedName{Namespace: fixture.Namespace, Name: "web"}, UID: fixture.PodUID}

	t.Run("not before the copy runs", func(t *testing.T) {
		made := copyOf(t, session, fixture.Pod(), fixture.ContainerState(name, fixture.Waiting("ErrImagePull", "not found")))
		want{phase: v1alpha1.PhaseStarting, reason: "ErrImagePull", warns: "ErrImagePull"}.check(t, pass(t, about(session, copied(made))))
	})
	t.Run("if the copy cannot be placed", func(t *testing.T) {
		made := copyOf(t, session, fixture.Pod(), fixture.Unplaced,
			fixture.Unschedulable("1 node(s) didn't have free ports for the requested pod ports"))
		want{phase: v1alpha1.PhaseStarting, reason: "Unschedulable", does: "ReplaceOriginal", warns: "Unschedulable"}.check(t,
			pass(t, about(session, copied(made))))
	})
	t.Run("not if no node would take the copy", func(t *testing.T) {
		made := copyOf(t, session, fixture.Pod(), fixture.Unplaced,
			fixture.Unschedulable("1 node(s) didn't match Pod's node affinity/selector"))
		want{phase: v1alpha1.PhaseStarting, reason: "Unschedulable", warns: "Unschedulable"}.check(t, pass(t, about(session, copied(made))))
	})
	made := copyOf(t, session, fixture.Pod(), fixture.ContainerState(name, fixture.Running(now)))
	first := pass(t, about(session, copied(made)))
	want{phase: v1alpha1.PhaseActive, does: "GrantAccess", wakes: now}.check(t, first)
	active := written(session, first)
	v := about(active, copied(made))
	second := pass(t, v)
	want{phase: v1alpha1.PhaseActive, does: "ReplaceOriginal"}.check(t, second)
	if second.Actions[0] != deletes {
		t.Errorf("deletes %+v, want %+v", second.Actions[0], deletes)
	}
	t.Run("not without a pause while access cannot be given", func(t *testing.T) {
		p := withResult(t, about(session, copied(made)), plan.Result{Err: errOffline})
		want{phase: v1alpha1.PhaseStarting, does: "GrantAccess", retries: true, warns: "Retrying", wakes: soon}.check(t, p)
	})
	t.Run("once", func(t *testing.T) {
		want{phase: v1alpha1.PhaseActive}.check(t, pass(t, about(written(active, second), copied(made))))
	})
	t.Run("again if it failed", func(t *testing.T) {
		s, decided := v.decide(t)
		for _, result := range []plan.Result{{Err: errOffline}, {Refusal: &plan.Refusal{Message: "a webhook says no"}}} {
			result.Action = decided.Actions[0]
			p := plan.Conclude(s, decided, []plan.Result{result})
			want{phase: v1alpha1.PhaseActive, does: "ReplaceOriginal", retries: true, warns: "Retrying"}.check(t, p)
			if p.Status.Target.ReplacedAt != nil {
				t.Error("what failed is written down as done")
			}
		}
		if p := plan.Conclude(s, decided, []plan.Result{{Action: decided.Actions[0], Gone: true}}); p.Status.Target.ReplacedAt == nil {
			t.Error("one that has gone is deleted again")
		}
	})
}

func TestWhoIsNotReplaced(t *testing.T) {
	controlled := fixture.ControlledBy("ReplicaSet", "web-7d9f8")
	how := func(r v1alpha1.ReplaceOriginal) fixture.SessionOption {
		return fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.ReplaceOriginal = r })
	}
	for name, tc := range map[string]struct {
		session fixture.SessionOption
		pod     fixture.PodOption
		want    want
	}{
		"one that is made again": {how(v1alpha1.ReplaceIfUncontrolled), controlled, want{phase: v1alpha1.PhaseEnded,
			outcome: v1alpha1.OutcomeRejected, says: `ReplicaSet "web-7d9f8", which recreates it`, warns: "Rejected"}},
		"one that is made again, if one says": {how(v1alpha1.ReplaceAlways), controlled, want{phase: v1alpha1.PhaseStarting}},
		"a static pod": {
			how(v1alpha1.ReplaceAlways),
			fixture.Mirror,
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "TargetIsMirrorPod", warns: "Rejected"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(tc.session)
			session.Finalizers = []string{v1alpha1.Finalizer}
			tc.want.check(t, pass(t, about(session, target(fixture.Pod(tc.pod)))))
		})
	}
}
