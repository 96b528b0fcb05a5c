package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// checkTarget says why the pod cannot be debugged as the session asks, or nil. Waiting would not help: nothing here can
// change during a pod's life.
func checkTarget(spec *v1alpha1.DebugSessionSpec, target *debugTarget, refuseInMode func(*corev1.Pod) *Refusal) *Refusal {
	pod := target.pod
	if owner := madeBySession(pod); owner != nil {
		return madeFor(pod.Name, owner.Name)
	}
	if refuseInMode != nil {
		if refusal := refuseInMode(pod); refusal != nil {
			return refusal
		}
	}
	if refusal := checkContainer(spec.Target.Container, target); refusal != nil {
		return refusal
	}
	if refusal := checkReplace(spec, pod); refusal != nil {
		return refusal
	}
	return checkVolumes(spec, target)
}

// madeBySession is the session that a pod was made for, or nil: a copy or a pod on a node, in which another session, of another
// class, would find what was granted to somebody else.
func madeBySession(pod *corev1.Pod) *metav1.OwnerReference {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "DebugSession" || !strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/") {
		return nil
	}
	return owner
}

// ownedByNoSession asks the sessions, too: who may patch a pod can take its owner away.
func (p *pass) ownedByNoSession(pod *corev1.Pod) step {
	owner, stop := need(p.OwnerSession, FindOwnerSession{Pod: pod.Name}, nil, unreadable("the sessions of the namespace"))
	if stop == nil && owner != "" {
		return reject{madeFor(pod.Name, owner)}
	}
	return stop
}

func madeFor(pod, session string) *Refusal {
	return refuse(v1alpha1.ReasonTargetIsDebugger,
		"pod %q was created for session %q, and only that session may use it; name the pod that it was created from", pod, session)
}

// checkSelector refuses a selector that selects nothing because it is none: the API server does not look into it.
func checkSelector(target *v1alpha1.Target) *Refusal {
	if _, err := metav1.LabelSelectorAsSelector(target.Selector); err != nil {
		return refuse(v1alpha1.ReasonInvalid, "spec.target.selector: %v; apply a new session", err)
	}
	return nil
}

// checkAlive refuses pods in which an ephemeral container would never start, though the API server would take it.
// A copy needs only the pod's spec, and a pod that has failed is a good reason to make one.
func checkAlive(pod *corev1.Pod) *Refusal {
	if hasFinished(pod) {
		return refuse(v1alpha1.ReasonTargetFinished,
			"pod %q has finished (%s), so nothing can start in it; name a running pod, or use mode: PodCopy", pod.Name, pod.Status.Phase)
	}
	if pod.DeletionTimestamp != nil {
		return refuse(v1alpha1.ReasonTargetTerminating,
			"pod %q is being deleted; name another pod, or use mode: PodCopy while this one exists", pod.Name)
	}
	return nil
}

func checkContainer(name string, target *debugTarget) *Refusal {
	if name == "" {
		return nil
	}
	pod := target.pod
	names := debugpod.ContainerNames(pod)
	if slices.Contains(names, name) {
		return nil
	}
	for i := range pod.Spec.EphemeralContainers {
		if pod.Spec.EphemeralContainers[i].Name == name {
			return refuse(v1alpha1.ReasonContainerNotFound,
				"spec.target.container: %q is an ephemeral container of %s, and cannot itself be a target; its containers are %s",
				name, target, strings.Join(names, ", "))
		}
	}
	return refuse(v1alpha1.ReasonContainerNotFound,
		"spec.target.container: %s has no container %q; its containers are %s%s", target, name, strings.Join(names, ", "), debugpod.DidYouMean(name, names))
}

func checkVolumes(spec *v1alpha1.DebugSessionSpec, target *debugTarget) *Refusal {
	pod := target.pod
	for i := range spec.Debugger.VolumeMounts {
		mount := &spec.Debugger.VolumeMounts[i]
		if slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
			continue
		}
		has := "it has none"
		if len(pod.Spec.Volumes) > 0 {
			var names []string
			for j := range pod.Spec.Volumes {
				names = append(names, pod.Spec.Volumes[j].Name)
			}
			has = "its volumes are " + strings.Join(names, ", ")
		}
		return refuse(v1alpha1.ReasonVolumeNotFound,
			"spec.debugger.volumeMounts[%d].name: %s has no volume %q, and a debugger cannot add one; %s", i, target, mount.Name, has)
	}
	return nil
}

// targetContainer is the container whose processes the debugger sees.
func targetContainer(target *v1alpha1.Target, pod *corev1.Pod) string {
	return cmp.Or(target.Container, debugpod.DefaultContainer(pod))
}

func refuse(reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
