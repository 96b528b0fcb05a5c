package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// shown is a session whose approvers have been shown what would be made of this pod, and one of them has approved it.
func shown(t *testing.T, pod *corev1.Pod, required int32, options ...fixture.SessionOption) (*v1alpha1.DebugSession, view) {
	t.Helper()
	session := fixture.Session(options...)
	session.Finalizers = []string{v1alpha1.Finalizer}
	class := ptr.To(plan.Found(fixture.Class(fixture.Approvals(required))))
	v := about(session, target(pod), copyIs(absent()))
	v.class = class
	p := pass(t, v)
	want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, p)
	session = written(session, p)
	v = about(session, target(pod), copyIs(absent()))
	v.class = class
	v.approvals = ptr.To(plan.Found([]approval.Approval{{
		DebugApproval: fixture.Approval("bob", session, v1alpha1.DecisionApprove, now), Sealed: true,
	}}))
	return session, v
}

// What is made is what was shown to whoever approved it: a pod can be changed in the meantime by who may patch it.
func TestATargetThatChangesBetweenApprovalAndStart(t *testing.T) {
	twoContainers := func(p *corev1.Pod) {
		p.Annotations = map[string]string{"kubectl.kubernetes.io/default-container": "app"}
		p.Spec.Containers = append(p.Spec.Containers, *p.Spec.Containers[0].DeepCopy())
		p.Spec.Containers[0].Name, p.Spec.Containers[1].Name = "app", "vault"
	}
	asCopy := fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Keep = []v1alpha1.Keep{v1alpha1.KeepLabels} })
	fromTarget := func(s *v1alpha1.DebugSession) { s.Spec.Debugger.RunAs = v1alpha1.RunAsFromTarget }
	runsAs := func(uid int64) fixture.PodOption {
		return func(p *corev1.Pod) {
			p.Status.ContainerStatuses = nil
			for _, c := range p.Spec.Containers {
				p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
					Name: c.Name, State: fixture.Running(now),
					User: &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: uid, GID: uid}},
				})
			}
		}
	}
	for name, tc := range map[string]struct {
		options []fixture.SessionOption
		before  fixture.PodOption
		change  fixture.PodOption
		starts  bool
		pinned  bool // what was recorded at the start holds, whatever changes then
	}{
		"what it is not made of": {
			options: one(asCopy), starts: true,
			change: func(p *corev1.Pod) {
				p.Annotations = map[string]string{"example.com/seen": "1"}
				p.Status.Conditions, p.ResourceVersion = nil, "2"
				p.Spec.ActiveDeadlineSeconds = ptr.To[int64](100000)
			},
		},
		"the container that it joins": {
			pinned: true,
			change: func(p *corev1.Pod) { p.Annotations["kubectl.kubernetes.io/default-container"] = "vault" },
		},
		"the user that it runs as": {
			options: one(fromTarget), before: runsAs(1000),
			change: runsAs(0),
		},
		"the image of a copy": {
			options: one(asCopy),
			change:  func(p *corev1.Pod) { p.Spec.Containers[1].Image = "registry.example/other" },
		},
		"a value that the preview does not show": {
			options: one(asCopy),
			before:  func(p *corev1.Pod) { p.Spec.Containers[1].Env = []corev1.EnvVar{{Name: "PASSWORD", Value: "a"}} },
			change:  func(p *corev1.Pod) { p.Spec.Containers[1].Env[0].Value = "b" },
		},
		"the labels of a copy": {options: one(asCopy), change: func(p *corev1.Pod) { p.Labels = map[string]string{"app": "payments"} }},
	} {
		t.Run(name, func(t *testing.T) {
			before := []fixture.PodOption{twoContainers}
			if tc.before != nil {
				before = append(before, tc.before)
			}
			pod, changed := fixture.Pod(before...), fixture.Pod(before...)
			tc.change(changed)
			session, v := shown(t, pod, 1, tc.options...)
			v.budgets = new(plan.Found[[]policyv1.PodDisruptionBudget](nil))
			started := pass(t, v)
			want{phase: v1alpha1.PhaseStarting}.check(t, started)

			v.target = ptr.To(plan.Found(changed))
			v.now = after(time.Minute)
			p := pass(t, v)
			if tc.starts {
				want{phase: v1alpha1.PhaseStarting}.check(t, p)
			} else {
				want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: v1alpha1.ReasonTargetChanged,
					says: "status.request.preview", warns: "Rejected"}.check(t, p)
			}

			v.session = written(session, started)
			p = pass(t, v)
			switch {
			case tc.starts:
				want{phase: v1alpha1.PhaseStarting, does: "CreatePod"}.check(t, p)
			case tc.pinned:
				want{phase: v1alpha1.PhaseStarting, does: "InjectDebugger"}.check(t, p)
				if joined := p.Actions[0].(plan.InjectDebugger).Container.TargetContainerName; joined != "app" {
					t.Errorf("joins %q", joined)
				}
			default:
				want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRejected, reason: v1alpha1.ReasonTargetChanged}.check(t, p)
			}
		})
	}
}

// Timeout is final: what is approved after it does not count, though the operator was away at that moment.
func TestAnApprovalThatComesAfterTheTimeout(t *testing.T) {
	const timeout = time.Hour // of a class that says nothing
	for name, tc := range map[string]struct {
		approved []time.Duration
		required int32
		starts   bool
	}{
		"before it":           {approved: []time.Duration{timeout - time.Second}, required: 1, starts: true},
		"at it":               {approved: []time.Duration{timeout}, required: 1},
		"after it":            {approved: []time.Duration{timeout + time.Minute}, required: 1},
		"one of two after it": {approved: []time.Duration{time.Minute, timeout + time.Minute}, required: 2},
		"one more after it":   {approved: []time.Duration{time.Minute, timeout + time.Minute}, required: 1, starts: true},
	} {
		t.Run(name, func(t *testing.T) {
			session, v := shown(t, fixture.Pod(), tc.required)
			var approvals []approval.Approval
			for i, at := range tc.approved {
				said := fixture.Approval(string(rune('a'+i)), session, v1alpha1.DecisionApprove, session.Status.Request.Since.Add(at))
				said.Spec.Approver.Username = said.Name
				approvals = append(approvals, approval.Approval{DebugApproval: said, Sealed: true})
			}
			v.session, v.approvals, v.now = session, ptr.To(plan.Found(approvals)), after(timeout+2*time.Minute)
			p := pass(t, v)
			if tc.starts {
				want{phase: v1alpha1.PhaseStarting}.check(t, p)
				return
			}
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTimedOut, says: "not approved within 1h;",
				warns: "TimedOut"}.check(t, p)
		})
	}
}

// What a preview hides could be guessed from the rest and the hash, if anybody could make that.
func TestTheHashNeedsTheKey(t *testing.T) {
	hash := func(key string) string {
		session := fixture.Session(fixture.AsCopy())
		session.Finalizers = []string{v1alpha1.Finalizer}
		v := about(session, target(fixture.Pod()), copyIs(absent()))
		v.class, v.hashKey = ptr.To(plan.Found(fixture.Class(fixture.Approvals(1)))), []byte(key)
		return pass(t, v).Status.Request.Hash
	}
	first, again, other := hash("a"), hash("a"), hash("b")
	if first != again || first == other {
		t.Errorf("%s and %s, with another key %s", first, again, other)
	}
}

func TestHiddenValuesAreListed(t *testing.T) {
	session := fixture.Session(fixture.AsCopy())
	session.Finalizers = []string{v1alpha1.Finalizer}
	v := about(session, target(fixture.Pod()), copyIs(absent()))
	hidden := []v1alpha1.HiddenValues{{Container: "app", Env: []string{"PASSWORD"}}}
	v.class = ptr.To(plan.Found(fixture.Class(fixture.Approvals(1))))
	v.preview = ptr.To(plan.Found(plan.Preview{Object: []byte("{}"), Hidden: hidden}))
	status := pass(t, v).Status
	if !equality.Semantic.DeepEqual(status.Request.Hidden, hidden) {
		t.Errorf("lists %v", status.Request.Hidden)
	}
	if said := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAdmissible).Message; !strings.Contains(said,
		"status.request.hidden lists; the hash covers them") {
		t.Errorf("says %q", said)
	}
}
