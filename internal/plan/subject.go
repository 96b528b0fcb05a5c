package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

// subject is what a session debugs: a pod, or a node.
type subject struct {
	pod  *corev1.Pod
	node *corev1.Node
}

func (s subject) uid() types.UID {
	if s.node != nil {
		return s.node.UID
	}
	return s.pod.UID
}

// String is how messages call it.
func (s subject) String() string {
	if s.node != nil {
		return fmt.Sprintf("node %q", s.node.Name)
	}
	return fmt.Sprintf("pod %q", s.pod.Name)
}

// status is what is recorded of it.
func (s subject) status() *v1alpha1.TargetStatus {
	if s.node != nil {
		return nodeNamed(s.node.Name, s.node.UID)
	}
	return &v1alpha1.TargetStatus{Name: s.pod.Name, PodName: s.pod.Name, PodUID: s.pod.UID, NodeName: s.pod.Spec.NodeName}
}

func podNamed(name string) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{Name: name, PodName: name}
}

func nodeNamed(name string, uid types.UID) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{Name: "node/" + name, NodeName: name, NodeUID: uid}
}

// fitNode is the node to debug, or nil; then what is awaited, or the end, is in the plan.
func (p *pass) fitNode() *subject {
	name := p.spec().Target.NodeName
	recorded := p.status().Target
	pinned := recorded != nil && recorded.NodeUID != ""
	switch p.Node.state {
	case unasked:
		p.ask(ReadNode{Name: name})
	case found:
		if pinned && recorded.NodeUID != p.Node.value.UID {
			p.finish(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), nodeReplaced(recorded, p.Node.value))
			return nil
		}
		return &subject{node: p.Node.value}
	case absent:
		if pinned {
			p.finish(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("node %q is gone; nothing was made", name))
			return nil
		}
		p.awaitUnwatched(fmt.Sprintf("there is no node %q", name))
	case unknown:
		p.unreadable(fmt.Sprintf("node %q", name), p.Node.err)
	case awaited:
	}
	return nil
}

// pinnedNode is the node that was recorded, and no other of its name. If it has gone, the plan is to end.
func (p *pass) pinnedNode() *subject {
	pinned := p.status().Target
	switch p.Node.state {
	case unasked:
		p.ask(ReadNode{Name: pinned.NodeName})
	case found:
		if p.Node.value.UID == pinned.NodeUID {
			return &subject{node: p.Node.value}
		}
		p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), nodeReplaced(pinned, p.Node.value))
	case absent:
		p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("node %q is gone", pinned.NodeName))
	case unknown:
		p.plan.Retry = fmt.Errorf("reading node %q: %w", pinned.NodeName, p.Node.err)
	case awaited:
	}
	return nil
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
