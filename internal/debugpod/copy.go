package debugpod

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// mirrorAnnotations begin the annotations by which the kubelet knows the pods that it runs from files. A copy that kept
// them would be taken for one of those.
const mirrorAnnotations = "kubernetes.io/config."

// GraceSeconds is how long the containers of a pod that was made get to stop, whoever ends it: the operator, or the kubelet at the
// hard deadline. A shell ignores TERM, and would take all of the target's own grace period, which may be an hour.
const GraceSeconds int64 = 1

// Copy builds the copy of an admitted session: the target's spec, changed as spec.podCopy says, with the debugger as its
// last container, if the session adds one. It reads the session's spec, status.class.allows, status.debugger and
// status.hardDeadline.
//
// The kubelet ends the copy at the hard deadline by activeDeadlineSeconds: what is left of it at now, in whole seconds,
// at least 1, or the target's own if that is less. Its grace period is short.
//
// It returns an *InvalidError if the session can never be built for this target, and a *ForbiddenError if its class does not
// allow what that comes to.
func Copy(session *v1alpha1.DebugSession, target *corev1.Pod, now time.Time) (*corev1.Pod, error) {
	if err := checkAdmitted(session); err != nil {
		return nil, err
	}
	if err := checkIsolation(session, target.Spec.HostNetwork); err != nil {
		return nil, err
	}
	keep := kept(session)
	labels, err := keptLabels(session, target, keep)
	if err != nil {
		return nil, err
	}
	copied := &corev1.Pod{ObjectMeta: copyMeta(session, target, keep, labels), Spec: *target.Spec.DeepCopy()}
	spec := &copied.Spec
	dropUnkept(spec, keep)
	if err := omit(spec, session, target); err != nil {
		return nil, err
	}
	dropAssigned(spec, session.Spec.PodCopy)
	followClaim(spec, session, target)
	if len(labels) > 0 {
		dropMergedLabelKeys(spec, labels)
		spec.Subdomain = "" // a headless Service that selects the copy would give it the target's name in DNS
	}
	keepMetadataVariables(spec, target, &copied.ObjectMeta)
	if err := changeContainers(spec, session, target); err != nil {
		return nil, err
	}
	confineImage(spec, session)
	setShareProcesses(copied, session.Spec.PodCopy)
	setEnd(spec, session.Status.HardDeadline.Sub(now))
	if err := bringDebugger(copied, session, target); err != nil {
		return nil, err
	}
	dropUnusedClaims(spec)
	addPullSecrets(spec, session)
	withhold(spec, allowed(session))
	if err := boundResources(spec, session); err != nil {
		return nil, err
	}
	return copied, nil
}

// checkAdmitted returns an error if what a copy is made by is not recorded: then no session may have one.
func checkAdmitted(session *v1alpha1.DebugSession) error {
	if session.Status.Debugger == nil || session.Status.Debugger.PodName == "" {
		return errNotAdmitted
	}
	if session.Status.HardDeadline == nil {
		return errors.New("the session is not admitted: its status has no hard deadline")
	}
	return nil
}

// changeContainers changes the target's containers as podCopy.containers and podCopy.quiesce say.
func changeContainers(spec *corev1.PodSpec, session *v1alpha1.DebugSession, target *corev1.Pod) error {
	if options := session.Spec.PodCopy; options != nil {
		if err := applyChanges(spec, options.Containers, target); err != nil {
			return err
		}
	}
	return quiesce(spec, session, target)
}

// bringDebugger adds the debugger's container, or makes one that is there the debugger, or does neither.
func bringDebugger(copied *corev1.Pod, session *v1alpha1.DebugSession, target *corev1.Pod) error {
	switch {
	case session.Spec.Debugger.Container != "":
		return useExistingContainer(&copied.Spec, session, target)
	case AddsContainer(&session.Spec):
		return addDebugger(copied, session, target)
	default:
		return nil
	}
}

// copyMeta is the copy's metadata: what is kept of the target's, with our own label and annotations over it.
func copyMeta(session *v1alpha1.DebugSession, target *corev1.Pod, keep []v1alpha1.Keep, labels map[string]string) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{
		Name:            session.Status.Debugger.PodName,
		Namespace:       target.Namespace,
		Labels:          maps.Clone(labels),
		Annotations:     map[string]string{},
		OwnerReferences: []metav1.OwnerReference{OwnerReference(session)},
	}
	if meta.Labels == nil {
		meta.Labels = map[string]string{}
	}
	if slices.Contains(keep, v1alpha1.KeepAnnotations) {
		// What the profile decides is in the debugger's security context, and admission would put this one's word there.
		appArmor := corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + session.Status.Debugger.ContainerName
		for key, value := range target.Annotations {
			if !strings.HasPrefix(key, mirrorAnnotations) && key != corev1.LastAppliedConfigAnnotation && key != appArmor {
				meta.Annotations[key] = value
			}
		}
	}
	meta.Labels[v1alpha1.LabelSessionUID] = string(session.UID)
	meta.Annotations[v1alpha1.AnnotationSession] = session.Name
	if !session.Spec.Target.IsAlone() {
		meta.Annotations[v1alpha1.AnnotationCopyOf] = target.Name
	}
	return meta
}

// dropAssigned removes what the cluster assigned to the target and must assign to the copy anew, or what belongs to the
// target alone.
//
// The service account's token volume (kube-api-access-…) stays although admission made it: admission recognises it by
// its name, and mounts it in the debugger too.
func dropAssigned(spec *corev1.PodSpec, options *v1alpha1.PodCopy) {
	spec.EphemeralContainers = nil

	// On the target's node without being scheduled, as kubectl does. A gate holds the scheduler back, so that a pod that
	// has a node must have none.
	if options != nil && options.SameNode {
		if spec.NodeName != "" {
			spec.SchedulingGates = nil
		}
	} else {
		spec.NodeName = ""
	}

	// Admission works these out from priorityClassName and runtimeClassName, and refuses any other value: the classes may
	// have changed since the target was made.
	spec.Priority = nil
	spec.PreemptionPolicy = nil
	spec.Overhead = nil

	// A copy that joined the target's group would be counted, scheduled and preempted with it.
	spec.SchedulingGroup = nil
}

// dropUnusedClaims removes the claims of dynamic resource allocation of which no container that is left makes use: the copy would
// not start before it had got them.
func dropUnusedClaims(spec *corev1.PodSpec) {
	used := map[string]bool{}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			for _, claim := range containers[i].Resources.Claims {
				used[claim.Name] = true
			}
		}
	}
	spec.ResourceClaims = slices.DeleteFunc(spec.ResourceClaims, func(c corev1.PodResourceClaim) bool { return !used[c.Name] })
	if len(spec.ResourceClaims) == 0 {
		spec.ResourceClaims = nil
	}
}

// setShareProcesses sets whether the copy's containers share a process namespace: they do unless the session says
// otherwise. Kubernetes refuses that on a pod in the host's process namespace, where everyone sees everyone anyway, and
// on Windows, where there is no such thing.
func setShareProcesses(copied *corev1.Pod, options *v1alpha1.PodCopy) {
	share := true
	if options != nil && options.ShareProcesses != nil {
		share = *options.ShareProcesses
	}
	if isWindows(copied) || share && copied.Spec.HostPID {
		return
	}
	copied.Spec.ShareProcessNamespace = &share
}

// setEnd has the kubelet end the pod when what is left has passed.
func setEnd(spec *corev1.PodSpec, left time.Duration) {
	seconds := max(int64(left/time.Second), 1)
	if own := spec.ActiveDeadlineSeconds; own != nil && *own < seconds {
		seconds = *own
	}
	spec.ActiveDeadlineSeconds = &seconds
	grace := GraceSeconds
	if own := spec.TerminationGracePeriodSeconds; own != nil && *own < grace {
		grace = *own
	}
	spec.TerminationGracePeriodSeconds = &grace
	dropLongSleeps(spec.Containers, grace)
	dropLongSleeps(spec.InitContainers, grace)
}

// dropLongSleeps removes hooks that would have a container sleep for as long as its pod has to stop, or longer: the API server refuses
// them. They are there for clients to turn to others.
func dropLongSleeps(containers []corev1.Container, grace int64) {
	for i := range containers {
		hooks := containers[i].Lifecycle
		if hooks == nil || hooks.PreStop == nil || hooks.PreStop.Sleep == nil || hooks.PreStop.Sleep.Seconds < grace {
			continue
		}
		hooks.PreStop = nil
		if *hooks == (corev1.Lifecycle{}) {
			containers[i].Lifecycle = nil
		}
	}
}
