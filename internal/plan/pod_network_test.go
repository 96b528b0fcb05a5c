package plan_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

const networkNamespace = "tenant"

// inNetwork is a session in the network of pod web of another namespace.
func inNetwork(s *v1alpha1.DebugSession) {
	s.Spec.Mode, s.Spec.Profile = v1alpha1.ModeNode, v1alpha1.ProfileBaseline
	s.Spec.Target = v1alpha1.Target{PodName: "web", PodNamespace: networkNamespace}
}

func forNetworks(c *v1alpha1.DebugClassSpec) {
	c.Modes, c.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, fixture.Namespace
	c.PodNetworks, c.Approval = &v1alpha1.PodNetworkPolicy{}, &v1alpha1.ApprovalPolicy{Required: 1}
}

// networks is a cluster in which alice may be in the network of pod web, once somebody agrees.
func networks(v *view) {
	v.class = new(plan.Found(fixture.Class(forNetworks)))
	v.labels, v.image = labels.Set{corev1.LabelMetadataName: fixture.Namespace}, "debugsession/operator:v1"
	v.targetNamespace, v.mayReach = new(plan.Found(labels.Set{corev1.LabelMetadataName: networkNamespace})), new(plan.Found(true))
}

func tenantPod(changes ...fixture.PodOption) *corev1.Pod {
	return fixture.Pod(append([]fixture.PodOption{func(p *corev1.Pod) { p.Namespace = networkNamespace }}, changes...)...)
}

// askingForNetwork is a session that waits for its approval, and what approves it.
func askingForNetwork(t *testing.T) (*v1alpha1.DebugSession, look) {
	t.Helper()
	session := fixture.Session(inNetwork)
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, networks, target(tenantPod())))
	want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, p)
	session = written(session, p)
	approvals := plan.Found([]approval.Approval{{DebugApproval: fixture.Approval("bob", session, v1alpha1.DecisionApprove, now), Sealed: true}})
	return session, func(v *view) { v.approvals = &approvals }
}

func TestAPodsNetwork(t *testing.T) {
	session, approved := askingForNetwork(t)
	want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, pass(t, about(session, networks, target(tenantPod()))))

	p := pass(t, about(session, networks, approved, target(tenantPod()), copyIs(absent())))
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	session = written(session, p)
	if s := session.Status; s.Target.Name != "network/tenant/web" || s.Target.PodNamespace != networkNamespace || s.Target.PodUID != fixture.PodUID ||
		s.Target.NodeName != "node-1" || s.Debugger.OperatorImage == "" || !strings.HasPrefix(s.Debugger.PodName, "network-debugger-web-") {
		t.Errorf("recorded %+v, %+v", s.Target, s.Debugger)
	}

	p = pass(t, about(session, networks, approved, target(tenantPod()), copyIs(absent())))
	want{phase: v1alpha1.PhaseStarting, does: "CreatePod"}.check(t, p)
	made := p.Actions[0].(plan.CreatePod).Pod.DeepCopy()
	if made.Namespace != fixture.Namespace || made.Spec.NodeName != "node-1" || !slices.Contains(made.Spec.Containers[0].Command, "--pod-uid="+string(fixture.PodUID)) {
		t.Errorf("made %+v", made)
	}
	made.UID, made.Status.Phase = "uid-of-made", corev1.PodRunning
	fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Running(now))(made)
	p = pass(t, about(session, networks, approved, target(tenantPod()), copied(made)))
	want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}.check(t, p)
	for _, action := range p.Actions {
		if grant, is := action.(plan.GrantAccess); is && slices.Contains(grant.Verbs, v1alpha1.AccessExec) {
			t.Errorf("grants %v", grant.Verbs)
		}
	}
	session = written(session, p)

	for name, tc := range map[string]struct {
		target look
		want   want
	}{
		"goes on with its pod":             {target(tenantPod()), want{phase: v1alpha1.PhaseActive}},
		"goes on while its pod is deleted": {target(tenantPod(fixture.Terminating)), want{phase: v1alpha1.PhaseActive}},
		"ends with its pod":                {targetIs(absent()), gone("TargetGone", `pod "web" is gone`)},
		"ends when its pod was replaced":   {target(tenantPod(fixture.UID(fixture.OtherUID))), gone("TargetGone", "was replaced")},
		"ends when its pod has finished":   {target(tenantPod(fixture.Finished(corev1.PodSucceeded, "", ""))), gone("TargetFinished", "has finished")},
		"is not ended by what is not read": {targetIs(unknown()), want{phase: v1alpha1.PhaseActive, retries: true}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.check(t, pass(t, about(session, networks, approved, tc.target, copied(made))))
		})
	}
}

func TestAPodsNetworkIsRefused(t *testing.T) {
	refused := func(reason, says string) want {
		return want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: reason, says: says}
	}
	session := fixture.Session(inNetwork)
	session.Finalizers = []string{v1alpha1.Finalizer}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		look look
		want want
	}{
		"the node's":               {tenantPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), networks, refused("TargetHasNodeNetwork", "its network is the node's")},
		"that of a static pod":     {tenantPod(fixture.Mirror), networks, refused("TargetIsMirrorPod", "another UID")},
		"that of a Windows pod":    {tenantPod(func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }), networks, refused("Invalid", "Windows")},
		"that of a pod that ended": {tenantPod(fixture.Finished(corev1.PodFailed, "", "")), networks, refused("TargetFinished", "")},
		"that of a debugger": {tenantPod(func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession", Name: "other", Controller: new(true)}}
		}), networks, refused("TargetIsDebugger", "other")},
		"of a namespace that its class leaves out": {tenantPod(), func(v *view) {
			v.targetNamespace = new(plan.Found(labels.Set{corev1.LabelMetadataName: "kube-system"}))
		}, refused("ClassForbids", "is not allowed")},
		"for a class without approval": {tenantPod(), func(v *view) {
			v.class = new(plan.Found(fixture.Class(forNetworks, func(c *v1alpha1.DebugClassSpec) { c.Approval = nil })))
		}, refused("ClassForbids", "needs approval")},
	} {
		t.Run(name, func(t *testing.T) {
			p := pass(t, about(session, networks, tc.look, target(tc.pod)))
			tc.want.warns = "Rejected"
			tc.want.check(t, p)
		})
	}
	t.Run("nobody's", func(t *testing.T) {
		pending := tenantPod(func(p *corev1.Pod) { p.Status.PodIPs = nil })
		want{phase: v1alpha1.PhasePending, reason: "TargetNotStarted", warns: "TargetNotStarted"}.check(t, pass(t, about(session, networks, target(pending))))
	})
}

// Whoever has lost the right on the pod while they waited for approval is not let in; nor is anybody when it cannot be told.
func TestAPodsNetworkTakesARightOnThePod(t *testing.T) {
	session, approved := askingForNetwork(t)
	for name, tc := range map[string]struct {
		may  plan.Observed[bool]
		want want
	}{
		"lost":    {plan.Found(false), want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "UseForbidden", says: "patch on pods/ephemeralcontainers", warns: "Rejected"}},
		"unknown": {plan.Unknown[bool](errOffline), want{phase: v1alpha1.PhasePending, retries: true, warns: "Unreadable"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.check(t, pass(t, about(session, networks, approved, target(tenantPod()), func(v *view) { v.mayReach = &tc.may })))
		})
	}
}

func TestAnotherPodIsNotWhatWasApproved(t *testing.T) {
	session, approved := askingForNetwork(t)
	p := pass(t, about(session, networks, approved, target(tenantPod(fixture.UID(fixture.OtherUID)))))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTargetGone, says: "was replaced", warns: "TargetGone"}.check(t, p)

	moved := tenantPod(func(p *corev1.Pod) { p.Status.PodIPs[0].IP = "10.9.9.9" })
	p = pass(t, about(session, networks, approved, target(moved), copyIs(absent())))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "TargetChanged", warns: "Rejected"}.check(t, p)
}
