package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

const claimUID types.UID = "c1a10000-0000-4000-8000-000000000001"

// claimOf is claim data, which is bound and can be mounted on one node.
func claimOf(changes ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixture.Namespace, Name: "data", UID: claimUID},
		Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, VolumeName: "pv-1"},
		Status:     corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
	}
	for _, change := range changes {
		change(claim)
	}
	return claim
}

func accessModes(modes ...corev1.PersistentVolumeAccessMode) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) { c.Spec.AccessModes = modes }
}

func claimIs(o plan.Observed[*corev1.PersistentVolumeClaim]) look {
	return func(v *view) { v.claim = &o }
}

func claim(changes ...func(*corev1.PersistentVolumeClaim)) look {
	return claimIs(plan.Found(claimOf(changes...)))
}

func mountedBy(pods ...corev1.Pod) look {
	return func(v *view) { v.claimPods = new(plan.Found(pods)) }
}

// ofClaim asks for a debugger of claim data.
func ofClaim(changes ...func(*v1alpha1.VolumeClaim)) *v1alpha1.DebugSession {
	session := fixture.Session(fixture.OfClaim("data", changes...))
	session.Finalizers = []string{v1alpha1.Finalizer}
	return session
}

func admittedForClaim(t *testing.T, looks ...look) *v1alpha1.DebugSession {
	t.Helper()
	session := ofClaim()
	p := pass(t, about(session, append([]look{claim(), mountedBy()}, looks...)...))
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	return written(session, p)
}

func TestAClaimIsFound(t *testing.T) {
	waits := func(reason, says string) want {
		return want{phase: v1alpha1.PhasePending, reason: reason, says: says, warns: reason, wakes: after(15 * time.Second)}
	}
	rejected := func(reason, says string) want {
		return want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: reason, says: says, warns: "Rejected"}
	}
	user := *fixture.Pod()
	for name, tc := range map[string]struct {
		looks []look
		want  want
	}{
		"as it is":                     {[]look{claim(), mountedBy()}, want{phase: v1alpha1.PhaseStarting}},
		"though a pod mounts it":       {[]look{claim(), mountedBy(user)}, want{phase: v1alpha1.PhaseStarting}},
		"without a look at those pods": {[]look{claim(accessModes(corev1.ReadWriteMany))}, want{phase: v1alpha1.PhaseStarting}},
		"unless there is none": {[]look{claimIs(plan.Absent[*corev1.PersistentVolumeClaim]())},
			waits("TargetNotFound", `there is no PersistentVolumeClaim "data" in namespace "shop"`)},
		"unless it is not bound": {[]look{claim(func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimPending }), mountedBy()},
			waits("ClaimNotBound", `PersistentVolumeClaim "data" is not bound to a volume yet`)},
		"unless its volume is gone": {[]look{claim(func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimLost }), mountedBy()},
			waits("ClaimNotBound", `has lost its volume "pv-1"`)},
		"unless it is being deleted": {[]look{claim(func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &metav1.Time{Time: now} }), mountedBy()},
			rejected("TargetTerminating", `PersistentVolumeClaim "data" is being deleted`)},
		"unless it is no filesystem": {[]look{claim(func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeMode = new(corev1.PersistentVolumeBlock) }), mountedBy()},
			rejected("Invalid", "raw block device")},
		"unless one pod alone can mount it, and does": {[]look{claim(accessModes(corev1.ReadWriteOncePod)), mountedBy(user)},
			rejected("ClaimInUse", `is ReadWriteOncePod, and pod "web" mounts it`)},
		"if one pod alone can mount it, and none does": {[]look{claim(accessModes(corev1.ReadWriteOncePod)), mountedBy()}, want{phase: v1alpha1.PhaseStarting}},
		"unless it cannot be read": {[]look{claimIs(plan.Unknown[*corev1.PersistentVolumeClaim](errOffline))},
			want{phase: v1alpha1.PhasePending, reason: "Unreadable", warns: "Unreadable", retries: true}},
		"unless its pods cannot be read": {[]look{claim(), func(v *view) { v.claimPods = new(plan.Unknown[[]corev1.Pod](errOffline)) }},
			want{phase: v1alpha1.PhasePending, reason: "Unreadable", warns: "Unreadable", retries: true}},
		"unless its class selects other claims": {[]look{claim(), func(v *view) {
			v.class = new(plan.Found(fixture.Class(func(c *v1alpha1.DebugClassSpec) {
				c.VolumeClaims.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"tenant": "ours"}}
			})))
		}}, rejected("ClassForbids", `class "standard" cannot be used for PersistentVolumeClaim "data": its volumeClaims.selector is tenant=ours`)},
		"unless its class allows none": {[]look{func(v *view) {
			v.class = new(plan.Found(fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.VolumeClaims = nil })))
		}}, rejected("ClassForbids", `class "standard": spec.target.volumeClaim: debugging a PersistentVolumeClaim is not allowed`)},
	} {
		t.Run(name, func(t *testing.T) { tc.want.check(t, pass(t, about(ofClaim(), tc.looks...))) })
	}
	t.Run("and named while it is waited for", func(t *testing.T) {
		p := pass(t, about(ofClaim(), claimIs(plan.Absent[*corev1.PersistentVolumeClaim]())))
		if got := p.Status.Target; got == nil || got.Name != "pvc/data" || got.ClaimUID != "" {
			t.Errorf("the session is said to be for %+v", got)
		}
	})
}

func TestAClaimIsDebugged(t *testing.T) {
	admitted := admittedForClaim(t, mountedBy(*fixture.Pod()))
	if got := admitted.Status.Target; got.Name != "pvc/data" || got.ClaimUID != claimUID || got.PodName != "" || got.NodeName != "node-1" {
		t.Errorf("recorded target %+v", got)
	}
	if got := admitted.Status.Debugger.PodName; got != debugpod.CopyName("data", admitted.UID) {
		t.Errorf("the pod is called %s", got)
	}

	another := claim(func(c *corev1.PersistentVolumeClaim) { c.UID = "another" })
	gone := want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone}
	for name, tc := range map[string]struct {
		looks []look
		want  want
	}{
		"as it is":              {[]look{claim(), mountedBy()}, want{phase: v1alpha1.PhaseStarting, does: "CreatePod"}},
		"but no other":          {[]look{another}, gone},
		"but not if it is gone": {[]look{claimIs(plan.Absent[*corev1.PersistentVolumeClaim]())}, gone},
		"but not blindly":       {[]look{claimIs(plan.Unknown[*corev1.PersistentVolumeClaim](errOffline))}, want{phase: v1alpha1.PhaseStarting, retries: true}},
		"but not blindly of its pods": {[]look{claim(), func(v *view) { v.claimPods = new(plan.Unknown[[]corev1.Pod](errOffline)) }},
			want{phase: v1alpha1.PhaseStarting, retries: true}},
		"but not if it is being deleted": {[]look{claim(func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &metav1.Time{Time: now} }), mountedBy()},
			want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRejected}},
	} {
		t.Run(name, func(t *testing.T) { tc.want.check(t, pass(t, about(admitted, append(tc.looks, copyIs(absent()))...))) })
	}

	made := pass(t, about(admitted, claim(), mountedBy(), copyIs(absent()))).Actions[0].(plan.CreatePod).Pod.DeepCopy()
	made.UID = "uid-of-made"
	follow := pass(t, about(admitted, copied(made), claim()))
	starting := written(admitted, follow)
	t.Run("and is the same when its pod runs", func(t *testing.T) {
		gone.check(t, pass(t, about(starting, copied(made), another)))
	})
	made = made.DeepCopy()
	made.Status.Phase = corev1.PodRunning
	fixture.ContainerState(admitted.Status.Debugger.ContainerName, fixture.Running(now))(made)
	p := pass(t, about(starting, copied(made), claim()))
	want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}.check(t, p)
	t.Run("and is read no more once it is held", func(t *testing.T) {
		active := written(starting, p)
		want{phase: v1alpha1.PhaseActive}.check(t, pass(t, about(active, copied(made))))
		over := ending(t, active)
		want{phase: v1alpha1.PhaseEnding, does: "DeletePod"}.check(t, pass(t, about(over, copied(made))))
	})
}

// What was approved is a claim by its UID. Where a pod mounts it by then is no other request.
func TestAnApprovedClaim(t *testing.T) {
	needs := func(v *view) { v.class = new(plan.Found(fixture.Class(fixture.Approvals(1)))) }
	session := ofClaim()
	p := pass(t, about(session, claim(), mountedBy(*fixture.Pod()), needs))
	want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, p)
	waiting := written(session, p)
	approve := func(v *view) {
		v.approvals = new(plan.Found([]approval.Approval{saidBy(waiting, "bob", v1alpha1.DecisionApprove)}))
	}
	want{phase: v1alpha1.PhaseStarting}.check(t, pass(t, about(waiting, claim(), mountedBy(), needs, approve)))

	p = pass(t, about(waiting, claim(func(c *corev1.PersistentVolumeClaim) { c.UID = "another" }), mountedBy(), needs, approve))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTargetGone, says: `PersistentVolumeClaim "data" was replaced`, warns: "TargetGone"}.check(t, p)
}

func TestAnImageIsDebugged(t *testing.T) {
	session := fixture.Session(fixture.OfImage("registry.example/shop/web_app:1.2"))
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session))
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	admitted := written(session, p)
	if got := admitted.Status.Target; got.Name != "image/registry.example/shop/web_app:1.2" || got.Image != "registry.example/shop/web_app:1.2" {
		t.Errorf("recorded target %+v", got)
	}
	p = pass(t, about(admitted, copyIs(absent())))
	want{phase: v1alpha1.PhaseStarting, does: "CreatePod"}.check(t, p)
	made := p.Actions[0].(plan.CreatePod).Pod
	if len(made.Spec.Containers) != 2 || made.Spec.Containers[0].Name != "app" || made.Spec.Containers[0].Image != "registry.example/shop/web_app:1.2" {
		t.Errorf("its containers are %+v", made.Spec.Containers)
	}

	for name, tc := range map[string]struct {
		class   func(*v1alpha1.DebugClassSpec)
		session fixture.SessionOption
		reason  string
		says    string
	}{
		"of a class that allows none": {func(c *v1alpha1.DebugClassSpec) { c.TargetImages = nil }, nil,
			"ClassForbids", "ask an administrator to set the class's targetImages"},
		"of a class that allows others": {func(c *v1alpha1.DebugClassSpec) { c.TargetImages = []string{"registry.example/ours/**"} }, nil,
			"ClassForbids", `"registry.example/shop/web_app:1.2" is not allowed; allowed by the class's targetImages: registry.example/ours/**`},
		"with a container that it has not": {nil, func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "web" }, "ContainerNotFound", "its containers are app"},
		"with a user that nobody knows": {nil, func(s *v1alpha1.DebugSession) { s.Spec.Debugger.RunAs = v1alpha1.RunAsFromTarget },
			"Invalid", "set securityContext.runAsUser"},
	} {
		t.Run("but not "+name, func(t *testing.T) {
			asks := session.DeepCopy()
			if tc.session != nil {
				tc.session(asks)
			}
			class := fixture.Class()
			if tc.class != nil {
				tc.class(&class.Spec)
			}
			p := pass(t, about(asks, func(v *view) { v.class = new(plan.Found(class)) }))
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: tc.reason, says: tc.says, warns: "Rejected"}.check(t, p)
		})
	}
}
