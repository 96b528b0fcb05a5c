package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// nodeMode makes a pod on the node that is to be debugged.
type nodeMode struct{ madePod }

func (nodeMode) find(p *pass) (*debugTarget, step) {
	name, recorded := p.spec().Target.NodeName, p.status().Target
	missing := step(wait{reason: v1alpha1.ReasonTargetNotFound, message: fmt.Sprintf("there is no node %q", name), recheck: true})
	if recorded != nil && recorded.NodeUID != "" {
		missing = markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("node %q is gone; nothing was created", name)}
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

func (nodeMode) record(p *pass, target *debugTarget, _ lifetime) {
	p.status().Debugger.PodName = debugpod.NodePodName(target.node.Name, p.Session.UID)
}

func (nodeMode) build(p *pass, session *v1alpha1.DebugSession, _ *debugTarget) (Action, error) {
	pod, err := debugpod.Node(session, p.Now)
	if err != nil {
		return nil, err
	}
	return createHeld(session, pod)
}

func (nodeMode) warn(*pass, *debugTarget, Action) step { return nil }

// pinned is the node that was recorded, and no other of its name.
func (nodeMode) pinned(p *pass) (*debugTarget, step) {
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

func (nodeMode) repair(p *pass) {
	status := p.status()
	if status.Target == nil {
		status.Target = nodeNamed(p.spec().Target.NodeName, "")
	}
	if status.Debugger == nil {
		status.Debugger = p.lostDebugger(debugpod.NodePodName(status.Target.NodeName, p.Session.UID))
	}
}

// targetFiles is nothing: there is no container whose files a user could be kept from.
func (nodeMode) targetFiles(*corev1.Pod) string { return "" }

func nodeReplaced(recorded *v1alpha1.TargetStatus, now *corev1.Node) string {
	return fmt.Sprintf("node %q was replaced: the session is for UID %s, and the node now has UID %s", now.Name, recorded.NodeUID, now.UID)
}
