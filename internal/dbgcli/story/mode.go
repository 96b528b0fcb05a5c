package story

import (
	"cmp"
	"fmt"

	"debugsession.dev/operator/api/v1alpha1"
)

// What is said otherwise of each mode. Nothing else in the plugin's words asks for it.

// brings is what a session brings in, for what it debugs.
func brings(spec *v1alpha1.DebugSessionSpec, target string) string {
	switch {
	case spec.Target.IsAlone():
		return "a debugger with " + target
	case spec.Target.IsPodNetwork():
		return "a debugger in " + target
	}
	switch spec.Mode {
	case v1alpha1.ModePodCopy:
		return "a copy of " + target
	case v1alpha1.ModeNode:
		return "a debugger on " + target
	case v1alpha1.ModeEphemeralContainer:
	}
	return "a debugger in " + target
}

// startsIn is where it does so.
func startsIn(mode v1alpha1.Mode, target *v1alpha1.TargetStatus) string {
	if alone(target) {
		return "in a pod of its own, with " + target.Name
	}
	switch mode {
	case v1alpha1.ModePodCopy:
		return "in a copy of " + original(target)
	case v1alpha1.ModeNode:
		return "on node " + target.NodeName
	case v1alpha1.ModeEphemeralContainer:
	}
	return "in pod " + target.PodName
}

// alone reports whether there is no pod that is debugged: one is made of the target.
func alone(target *v1alpha1.TargetStatus) bool { return target.ClaimUID != "" || target.Image != "" }

// original is what is copied: a pod, or the pod template of a workload.
func original(target *v1alpha1.TargetStatus) string {
	if target.WorkloadUID != "" {
		return "the pod template of " + target.Name
	}
	return "pod " + target.PodName
}

// Sides are what an approver compares: what is there now, and what there would be. If it cannot be read, nothing is there to compare with.
func Sides(mode v1alpha1.Mode, target *v1alpha1.TargetStatus, readable bool) (now, then string) {
	now = original(target)
	switch {
	case alone(target):
		return "nothing", "a pod with " + target.Name
	case target.WorkloadUID != "":
		now = "nothing (" + target.Name + " has no pods)"
	case !readable:
		now = "nothing (the pod cannot be read)"
	}
	switch mode {
	case v1alpha1.ModePodCopy:
		return now, "its copy"
	case v1alpha1.ModeNode:
		return "nothing", "a pod on node " + target.NodeName
	case v1alpha1.ModeEphemeralContainer:
	}
	return now, "with a debugger"
}

// place is where somebody is who has attached.
func place(session *v1alpha1.DebugSession) string {
	target := session.Status.Target
	switch {
	case target == nil:
		return session.Name
	case alone(target):
		return fmt.Sprintf("%s, with %s", session.Status.Debugger.PodName, target.Name)
	case session.Spec.Mode == v1alpha1.ModePodCopy:
		return fmt.Sprintf("%s, a copy of %s", session.Status.Debugger.PodName, cmp.Or(target.PodName, target.Name))
	case target.Container != "":
		return target.PodName + "/" + target.Container
	default:
		return target.Name
	}
}
