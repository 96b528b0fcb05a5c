package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/policy"
)

// podNetworkMode makes a pod on the node of a pod of another namespace, whose debugger is in that pod's network.
type podNetworkMode struct{ madePod }

func (podNetworkMode) find(p *pass) (*debugTarget, step) {
	name := p.spec().Target.PodNamespace
	missing := wait{reason: v1alpha1.ReasonTargetNotFound, message: fmt.Sprintf("there is no namespace %q", name), recheck: true}
	namespace, stop := need(p.TargetNamespace, ReadTargetNamespace{Name: name}, missing, unreadable(fmt.Sprintf("namespace %q", name)))
	if stop != nil {
		return nil, stop
	}
	if why := policy.CheckPodNamespace(p.Class.value, name, namespace, p.OperatorNamespace); why != "" {
		return nil, reject{classForbids(why)}
	}
	target, stop := p.findPod(refusePodNetwork)
	switch {
	case stop != nil:
		return nil, stop
	case target.pod.Spec.NodeName == "":
		return nil, wait{reason: v1alpha1.ReasonTargetNotPlaced, message: notPlaced(target.pod)}
	case len(target.pod.Status.PodIPs) == 0:
		return nil, wait{reason: v1alpha1.ReasonTargetNotStarted, message: fmt.Sprintf("pod %q has no IP address yet, and so no network that could be entered", target.pod.Name)}
	}
	return target, nil
}

// refusePodNetwork refuses a pod that has no network of its own, or whose network could not be told from another's.
func refusePodNetwork(pod *corev1.Pod) *Refusal {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case pod.Spec.HostNetwork:
		return refuse(v1alpha1.ReasonTargetHasNodeNetwork,
			"pod %q has hostNetwork, so its network is the node's; debug the node instead (spec.target.nodeName), by a class for that", pod.Name)
	case mirror:
		return refuse(v1alpha1.ReasonTargetIsMirrorPod,
			"pod %q is a static pod, which its kubelet runs under another UID than the API server shows, so its network cannot be found; name another pod", pod.Name)
	case pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows:
		return refuse(v1alpha1.ReasonInvalid, "pod %q is a Windows pod, whose network cannot be entered; use mode: EphemeralContainer", pod.Name)
	}
	return checkAlive(pod)
}

func (podNetworkMode) record(p *pass, target *debugTarget, _ lifetime) {
	status := p.status()
	named := networkNamed(&p.spec().Target)
	status.Target.Name, status.Target.PodNamespace = named.Name, named.PodNamespace
	status.Debugger.PodName = debugpod.NetworkPodName(target.pod.Name, p.Session.UID)
	status.Debugger.OperatorImage = p.OperatorImage
}

func (podNetworkMode) build(p *pass, session *v1alpha1.DebugSession, target *debugTarget) (Action, error) {
	pod, err := debugpod.PodNetwork(session, target.pod, p.Now)
	return CreatePod{Pod: pod}, err
}

func (podNetworkMode) warn(*pass, *debugTarget, Action) step { return nil }

// pinned is the pod that was recorded, which must still have its network.
func (podNetworkMode) pinned(p *pass) (*debugTarget, step) {
	target, stop := p.pinnedPod()
	switch {
	case stop != nil:
		return nil, stop
	case hasFinished(target.pod):
		return nil, p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetFinished, finished(target.pod))
	case target.pod.DeletionTimestamp != nil && p.status().Debugger.PodUID == "":
		return nil, p.end(v1alpha1.OutcomeTargetGone, v1alpha1.ReasonTargetTerminating, fmt.Sprintf("pod %q is being deleted", target.pod.Name))
	default:
		return target, nil
	}
}

// track follows the target as well: when that goes, its address may be another's.
func (m podNetworkMode) track(p *pass) step {
	target, stop := m.pinned(p)
	if stop != nil {
		return stop
	}
	p.followTarget(target.pod)
	return m.madePod.track(p)
}

func (podNetworkMode) repair(p *pass) {
	status := p.status()
	if status.Target == nil {
		status.Target = networkNamed(&p.spec().Target)
	}
	if status.Debugger == nil {
		status.Debugger = p.lostDebugger(debugpod.NetworkPodName(p.spec().Target.PodName, p.Session.UID))
	}
}

// targetFiles is nothing: the debugger sees its own files alone.
func (podNetworkMode) targetFiles(*corev1.Pod) string { return "" }

func networkNamed(target *v1alpha1.Target) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{
		Name: fmt.Sprintf("network/%s/%s", target.PodNamespace, target.PodName), PodNamespace: target.PodNamespace, PodName: target.PodName,
	}
}

// requesterMayReachPod asks, right before the start, whether the requester may debug the pod in its own namespace, whoever may use the class.
func (p *pass) requesterMayReachPod() step {
	target := &p.spec().Target
	if !target.IsPodNetwork() {
		return nil
	}
	may, stop := need(p.MayReachPod, CheckReachPod{}, pause{}, unreadable("the requester's permission to debug the pod"))
	if stop == nil && !may {
		return reject{refuse(v1alpha1.ReasonUseForbidden,
			"%s may not debug pod %q in namespace %q; ask an administrator of that namespace for the verb patch on pods/ephemeralcontainers; "+
				"check with: kubectl auth can-i patch pods/%s --subresource=ephemeralcontainers -n %s",
			p.spec().Requester.Username, target.PodName, target.PodNamespace, target.PodName, target.PodNamespace)}
	}
	return stop
}
