package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

// debugTarget is what a session debugs: a pod, or a node.
type debugTarget struct {
	pod  *corev1.Pod
	node *corev1.Node
}

func (t debugTarget) uid() types.UID {
	if t.node != nil {
		return t.node.UID
	}
	return t.pod.UID
}

// String is how messages call it.
func (t debugTarget) String() string {
	if t.node != nil {
		return fmt.Sprintf("node %q", t.node.Name)
	}
	return fmt.Sprintf("pod %q", t.pod.Name)
}

// status is what is recorded of it.
func (t debugTarget) status() *v1alpha1.TargetStatus {
	if t.node != nil {
		return nodeNamed(t.node.Name, t.node.UID)
	}
	return &v1alpha1.TargetStatus{Name: t.pod.Name, PodName: t.pod.Name, PodUID: t.pod.UID, NodeName: t.pod.Spec.NodeName}
}

func podNamed(name string) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{Name: name, PodName: name}
}

func nodeNamed(name string, uid types.UID) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{Name: "node/" + name, NodeName: name, NodeUID: uid}
}

func (p *pass) findNode() (*debugTarget, step) {
	name, recorded := p.spec().Target.NodeName, p.status().Target
	missing := step(wait{reason: v1alpha1.ReasonTargetNotFound, message: fmt.Sprintf("there is no node %q", name), recheck: true})
	if recorded != nil && recorded.NodeUID != "" {
		missing = markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("node %q is gone; nothing was made", name)}
	}
	node, stop := need(p.Node, ReadNode{Name: name}, missing, unreadable(fmt.Sprintf("node %q", name)))
	switch {
	case stop != nil:
		return nil, stop
	case recorded != nil && recorded.NodeUID != "" && recorded.NodeUID != node.UID:
		return nil, markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), nodeReplaced(recorded, node)}
	default:
		return &debugTarget{node: node}, nil
	}
}

// pinnedNode is the node that was recorded, and no other of its name.
func (p *pass) pinnedNode() (*debugTarget, step) {
	recorded := p.status().Target
	node, stop := need(p.Node, ReadNode{Name: recorded.NodeName}, nil, retryReading(fmt.Sprintf("node %q", recorded.NodeName)))
	switch {
	case stop != nil:
		return nil, stop
	case node == nil:
		return nil, p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("node %q is gone", recorded.NodeName))
	case node.UID != recorded.NodeUID:
		return nil, p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), nodeReplaced(recorded, node))
	default:
		return &debugTarget{node: node}, nil
	}
}

func nodeReplaced(recorded *v1alpha1.TargetStatus, now *corev1.Node) string {
	return fmt.Sprintf("node %q was replaced: the session was for UID %s, and the node of that name now is %s", now.Name, recorded.NodeUID, now.UID)
}

// makesPod says whether the session has a pod of its own: a copy, or one on a node.
func makesPod(spec *v1alpha1.DebugSessionSpec) bool {
	return spec.Mode != v1alpha1.ModeEphemeralContainer
}

// MadePod is the name of the pod that a session which has not ended has for its own; empty if it has none.
func MadePod(session *v1alpha1.DebugSession) string {
	status := &session.Status
	if !makesPod(&session.Spec) || status.Phase == v1alpha1.PhaseEnded || status.Debugger == nil {
		return ""
	}
	return status.Debugger.PodName
}

// own is what messages call the session's own pod.
func (p *pass) own() string {
	if p.spec().Mode == v1alpha1.ModeNode {
		return "debugger's pod"
	}
	return "copy"
}
