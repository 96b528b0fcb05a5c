package plan

import (
	"cmp"
	"maps"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/policy"
)

// copyMode makes a copy of the target, with the debugger in it.
type copyMode struct{ madePod }

func (copyMode) find(p *pass) (*debugTarget, step) {
	switch {
	case p.spec().Target.VolumeClaim != nil:
		return p.findClaim()
	case p.spec().Target.Image != "":
		return p.findImage()
	case p.copiesTemplate():
		return p.findTemplate()
	}
	target, stop := p.findPod(nil)
	if stop != nil {
		return nil, stop
	}
	return target, p.worthWaiting(target.pod)
}

func (copyMode) record(p *pass, target *debugTarget, _ lifetime) {
	debugger := p.status().Debugger
	debugger.PodName = copyName(p.Session, target.pod.Name)
	if debugpod.UsesOperatorImage(p.spec()) {
		debugger.OperatorImage = p.OperatorImage
	}
}

func (copyMode) build(p *pass, session *v1alpha1.DebugSession, target *debugTarget) (Action, error) {
	pod, err := debugpod.Copy(session, target.pod, p.Now)
	if err != nil {
		return nil, err
	}
	return createHeld(session, pod)
}

// warn writes down what is otherwise with a copy than its author may think.
func (copyMode) warn(p *pass, target *debugTarget, making Action) step {
	pod := making.(CreatePod).Pod
	warnings := debugpod.CopyWarnings(target.pod, pod)
	kept := maps.Clone(pod.Labels)
	delete(kept, v1alpha1.LabelSessionUID)
	if len(kept) > 0 {
		counted, stop := p.countedByBudgets(pod)
		if stop != nil {
			return stop
		}
		for _, message := range counted {
			p.event(corev1.EventTypeWarning, v1alpha1.ReasonCountedByBudget, message)
		}
		warnings = append(counted, warnings...)
	}
	p.status().Warnings = debugpod.Warnings(warnings)
	return nil
}

func (copyMode) pinned(p *pass) (*debugTarget, step) {
	switch {
	case p.spec().Target.VolumeClaim != nil:
		return p.pinnedClaim()
	case p.spec().Target.Image != "":
		return p.imageTarget(), nil
	case p.copiesTemplate():
		return p.pinnedTemplate()
	}
	return p.pinnedPod()
}

// track sees that a claim which the pod mounts is the one that was recorded, until it runs: a pod can name no UID. From then on nobody can delete
// the claim before the pod is gone.
func (m copyMode) track(p *pass) step {
	if p.status().Phase == v1alpha1.PhaseStarting && p.status().Debugger.PodUID != "" {
		if stop := p.claimKept(); stop != nil {
			return stop
		}
	}
	return m.madePod.track(p)
}

func (copyMode) repair(p *pass) {
	status := p.status()
	p.recordNamedTarget()
	if status.Target == nil {
		status.Target = podNamed(p.spec().Target.PodName)
	}
	if status.Debugger != nil {
		return
	}
	status.Debugger = p.lostDebugger("")
	original := status.Target.PodName
	switch target := &p.spec().Target; {
	case p.copiesTemplate():
		original = target.Workload.Name
	case target.VolumeClaim != nil:
		original = target.VolumeClaim.Name
	case target.Image != "":
		original = debugpod.ImageName(policy.TargetImage(p.spec()))
	}
	if original != "" || chosenName(p.spec()) != "" {
		status.Debugger.PodName = copyName(p.Session, original)
	}
}

// targetFiles is where the debugger finds the files of the copy's containers, if it sees their processes.
func (copyMode) targetFiles(pod *corev1.Pod) string {
	if shared := pod.Spec.ShareProcessNamespace; pod.Spec.HostPID || shared != nil && *shared {
		return "/proc/PID/root"
	}
	return ""
}

func copyName(session *v1alpha1.DebugSession, target string) string {
	return cmp.Or(chosenName(&session.Spec), debugpod.CopyName(target, session.UID))
}

// chosenName is the name that the session has chosen for its copy; empty if it has not.
func chosenName(spec *v1alpha1.DebugSessionSpec) string {
	if spec.PodCopy == nil {
		return ""
	}
	return spec.PodCopy.Name
}
