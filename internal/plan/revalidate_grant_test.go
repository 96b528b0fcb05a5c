package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// granting is a class that gives a session what the session does not say itself.
func granting(change func(*v1alpha1.DebugClassSpec)) plan.Observed[*v1alpha1.DebugClass] {
	return plan.Found(fixture.Class(fixture.Approvals(1), func(c *v1alpha1.DebugClassSpec) {
		c.Images = []string{"registry.example/**", "busybox"}
		c.Defaults = &v1alpha1.ClassDefaults{Image: "registry.example/tools:1", Profile: v1alpha1.ProfileSysadmin,
			TTL: &metav1.Duration{Duration: 2 * time.Hour}}
		c.Access = &v1alpha1.AccessPolicy{Verbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessExec}}
		change(c)
	}))
}

// asking is a session that leaves all to its class and has been approved.
func asking(t *testing.T) (*v1alpha1.DebugSession, plan.Observed[[]approval.Approval]) {
	t.Helper()
	session := fixture.Session(func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Image, s.Spec.Profile, s.Spec.TTL = "", "", nil })
	session.Finalizers = []string{v1alpha1.Finalizer}
	v := about(session, target(fixture.Pod()))
	v.class = ptr.To(granting(func(*v1alpha1.DebugClassSpec) {}))
	p := pass(t, v)
	want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, p)
	session = written(session, p)
	return session,
		plan.Found([]approval.Approval{{DebugApproval: fixture.Approval("bob", session, v1alpha1.DecisionApprove, now), Sealed: true}})
}

// A class that was edited or swapped since the grant can take the session away, and never gives it more.
func TestAClassThatChangesBetweenApprovalAndStart(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.DebugClassSpec)
		says   string // empty: it starts
	}{
		"not at all": {func(*v1alpha1.DebugClassSpec) {}, ""},
		"wider": {func(c *v1alpha1.DebugClassSpec) {
			c.Images, c.MaxTTL = nil, metav1.Duration{Duration: 48 * time.Hour}
			c.Defaults.Image, c.Defaults.TTL.Duration = "registry.example/everything", 24*time.Hour
			c.Access.Verbs = append(c.Access.Verbs, v1alpha1.AccessPortForward)
			c.Approval = nil
		}, ""},
		"image": {
			func(c *v1alpha1.DebugClassSpec) { c.Images = []string{"busybox"}; c.Defaults.Image = "busybox" },
			`the image it granted: "registry.example/tools:1" is not allowed; allowed: busybox`,
		},
		"profile": {func(c *v1alpha1.DebugClassSpec) {
			c.Profiles, c.Defaults.Profile = []v1alpha1.Profile{v1alpha1.ProfileGeneral}, ""
		}, "it granted profile sysadmin, but now allows only general"},
		"ttl": {
			func(c *v1alpha1.DebugClassSpec) { c.MaxTTL.Duration, c.Defaults.TTL = time.Hour, nil },
			"it granted a ttl of up to 24h, but its maxTTL is now 1h",
		},
		"ttl that it may yet ask for": {
			func(c *v1alpha1.DebugClassSpec) { c.MaxTTL.Duration = 2 * time.Hour },
			"it granted a ttl of up to 24h, but its maxTTL is now 2h",
		},
		"access": {
			func(c *v1alpha1.DebugClassSpec) { c.Access.Verbs = c.Access.Verbs[:1] },
			"it granted the access verbs Attach, Exec, but now grants only Attach",
		},
		"use": {func(c *v1alpha1.DebugClassSpec) { c.MaxIdleTimeout = &metav1.Duration{Duration: 10 * time.Minute} },
			"its maxIdleTimeout is now 10m, less than it granted"},
		"approval": {fixture.Approvals(2), "it requires more approvals: 1 before, 2 now"},
	} {
		t.Run(name, func(t *testing.T) {
			session, approvals := asking(t)
			v := about(session, target(fixture.Pod()))
			v.approvals = &approvals
			v.class = ptr.To(granting(tc.change))
			p := pass(t, v)
			if tc.says != "" {
				want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", says: tc.says,
					warns: "Rejected"}.check(t, p)
				return
			}
			want{phase: v1alpha1.PhaseStarting}.check(t, p)
			if granted := p.Status.Class; granted.Image != "registry.example/tools:1" || granted.MaxTTL.Duration != 24*time.Hour ||
				len(granted.AccessVerbs) != 2 {
				t.Errorf("was granted %+v", granted)
			}
		})
	}
}

// What the watch shows of approvals is not enough to start on.
func TestAnApprovalThatIsTakenBackAtTheStart(t *testing.T) {
	for name, fresh := range map[string]plan.Observed[[]approval.Approval]{
		"removed": plan.Found[[]approval.Approval](nil), "unreadable": plan.Unknown[[]approval.Approval](errBusy),
	} {
		t.Run(name, func(t *testing.T) {
			session, approvals := asking(t)
			v := about(session, target(fixture.Pod()))
			v.class = ptr.To(granting(func(*v1alpha1.DebugClassSpec) {}))
			v.approvals, v.freshApprovals = &approvals, &fresh
			p := pass(t, v)
			if p.Status.StartedAt != nil || len(p.Actions) > 0 || p.Status.Phase != v1alpha1.PhaseAwaitingApproval {
				t.Errorf("phase %s, actions %v", p.Status.Phase, p.Actions)
			}
			unreadable := meta.IsStatusConditionPresentAndEqual(p.Status.Conditions, v1alpha1.ConditionApproved, metav1.ConditionUnknown)
			if unreadable != (name == "unreadable") || unreadable != (p.Status.Reason == v1alpha1.ReasonUnreadable) ||
				unreadable != (p.Retry != nil) {
				t.Errorf("reason %s, conditions %v, retries %v", p.Status.Reason, p.Status.Conditions, p.Retry)
			}
		})
	}
}

// A copy that was granted to one requester is no target for another's session.
func TestAPodThatWasMadeForASessionIsNoTarget(t *testing.T) {
	made := func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession", Name: "of-alice", UID: "1", Controller: ptr.To(true),
		}}
	}
	for name, options := range map[string][]fixture.SessionOption{"EphemeralContainer": nil, "PodCopy": one(fixture.AsCopy())} {
		t.Run(name, func(t *testing.T) {
			refused := want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "TargetIsDebugger", does: "AddFinalizer",
				says: `pod "web" was created for session "of-alice"`, warns: "Rejected"}
			refused.check(t, pass(t, about(fixture.Session(options...), target(fixture.Pod(made)))))

			hidden := about(fixture.Session(options...), target(fixture.Pod())) // by who has taken its owner away
			hidden.maker = new(plan.Found("of-alice"))
			refused.check(t, pass(t, hidden))
			hidden.maker = new(plan.Unknown[string](errBusy))
			want{phase: v1alpha1.PhasePending, reason: "Unreadable", does: "AddFinalizer", retries: true, warns: "Unreadable"}.check(t,
				pass(t, hidden))
		})
	}
}

// What cannot be taken away is tried again with pauses, and not in a loop.
func TestAccessThatResistsIsNotTriedWithoutPause(t *testing.T) {
	session, _ := active(t)
	session = ending(t, session)
	v := about(session, targetIs(absent()), accessIs(plan.AccessUnsure))
	p := pass(t, v, plan.Result{Action: plan.RevokeAccess{Name: session.Status.Access.Name}, Err: errBusy})
	if p.Retry == nil || p.WakeAt.Before(now.Add(time.Second)) {
		t.Errorf("retries %v, wakes at %s", p.Retry, p.WakeAt)
	}
}
