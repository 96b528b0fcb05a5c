package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

const nodeUID types.UID = "n0de0000-0000-4000-8000-000000000001"

func onNode(s *v1alpha1.DebugSession) {
	s.Spec.Mode, s.Spec.Target = v1alpha1.ModeNode, v1alpha1.Target{NodeName: "node-1"}
}

func node(uid types.UID) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", UID: uid}}
}

func nodeIs(o plan.Observed[*corev1.Node]) look { return func(v *view) { v.node = &o } }

// forNodes is a class for nodes, used where it says.
func forNodes(v *view) {
	class := fixture.Class(func(c *v1alpha1.DebugClassSpec) {
		c.Modes, c.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, fixture.Namespace
	})
	v.class = new(plan.Found(class))
	v.labels = labels.Set{corev1.LabelMetadataName: fixture.Namespace}
}

// admittedOnNode is a session that was admitted for node-1 at now.
func admittedOnNode(t *testing.T, options ...fixture.SessionOption) *v1alpha1.DebugSession {
	t.Helper()
	session := fixture.Session(append([]fixture.SessionOption{onNode}, options...)...)
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, forNodes, nodeIs(plan.Found(node(nodeUID)))))
	want{phase: v1alpha1.PhaseStarting, says: v1alpha1.MessageStarting}.check(t, p)
	return written(session, p)
}

// activeOnNode is a session whose debugger runs on node-1, and its pod.
func activeOnNode(t *testing.T) (*v1alpha1.DebugSession, *corev1.Pod) {
	t.Helper()
	session := admittedOnNode(t)
	p := pass(t, about(session, forNodes, nodeIs(plan.Found(node(nodeUID))), copyIs(absent())))
	if len(p.Actions) != 1 {
		t.Fatalf("does %v: %s", p.Actions, said(p))
	}
	create, ok := p.Actions[0].(plan.CreatePod)
	if !ok {
		t.Fatalf("does %v: %s", p.Actions, said(p))
	}
	pod := create.Pod
	pod.UID, pod.Spec.NodeName = "n0de-debugger", "node-1"
	fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Running(now))(pod)
	p = pass(t, about(session, copied(pod)))
	if p.Status.Phase != v1alpha1.PhaseActive {
		t.Fatalf("not active: %s: %s", p.Status.Phase, said(p))
	}
	return written(session, p), pod
}

func TestAdmitOnANode(t *testing.T) {
	status := admittedOnNode(t).Status
	if status.Target.Name != "node/node-1" || status.Target.NodeName != "node-1" || status.Target.NodeUID != nodeUID ||
		status.Target.PodName != "" {
		t.Errorf("recorded target %+v", status.Target)
	}
	if !strings.HasPrefix(status.Debugger.PodName, "node-debugger-node-1-") || status.Debugger.PodUID != "" {
		t.Errorf("recorded debugger %+v", status.Debugger)
	}
	session := fixture.Session(onNode)
	session.Finalizers = []string{v1alpha1.Finalizer}
	for name, tc := range map[string]struct {
		node plan.Observed[*corev1.Node]
		want want
	}{
		"not there yet": {plan.Absent[*corev1.Node](), want{phase: v1alpha1.PhasePending, reason: "TargetNotFound",
			says: `there is no node "node-1"`, warns: "TargetNotFound", wakes: after(15 * time.Second)}},
		"not to be known": {
			plan.Unknown[*corev1.Node](errOffline),
			want{phase: v1alpha1.PhasePending, reason: "Unreadable", warns: "Unreadable", retries: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.check(t, pass(t, about(session, forNodes, nodeIs(tc.node))))
		})
	}
}

func TestRunOnANode(t *testing.T) {
	session := admittedOnNode(t)
	for name, tc := range map[string]struct {
		node plan.Observed[*corev1.Node]
		want want
	}{
		"as recorded":         {plan.Found(node(nodeUID)), want{phase: v1alpha1.PhaseStarting, does: "CreatePod"}},
		"not on another node": {plan.Found(node(fixture.OtherUID)), gone("TargetGone", "was replaced")},
		"not on none":         {plan.Absent[*corev1.Node](), gone("TargetGone", `node "node-1" is gone`)},
		"not on the unknown":  {plan.Unknown[*corev1.Node](errOffline), want{phase: v1alpha1.PhaseStarting, retries: true}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.check(t, pass(t, about(session, copyIs(absent()), nodeIs(tc.node))))
		})
	}

	p := pass(t, about(session, copyIs(absent()), nodeIs(plan.Found(node(nodeUID)))))
	made := p.Actions[0].(plan.CreatePod).Pod.DeepCopy()
	made.UID, made.Status.Phase = "uid-of-made", corev1.PodRunning
	fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Running(now))(made)
	t.Run("runs", func(t *testing.T) {
		p := pass(t, about(session, copied(made)))
		want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}.check(t, p)
		t.Run("and is taken away", func(t *testing.T) {
			active := written(session, p)
			over := ending(t, active)
			want{phase: v1alpha1.PhaseEnding, does: "DeletePod"}.check(t, pass(t, about(over, copied(made))))
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated, says: "the debugger's pod is gone"}.check(t,
				pass(t, about(over, copyIs(absent()))))
		})
	})
}
