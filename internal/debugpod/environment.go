package debugpod

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const envFromTargetField = "spec.debugger.envFromTarget"

// takeEnvironment gives the debugger's container the environment of the target's container, if the session wants it: its env and its
// envFrom as they are written, so that the kubelet resolves them and no value is read here. made is the pod that the debugger will be in,
// its container's own variables win.
func takeEnvironment(debugger *corev1.Container, session *v1alpha1.DebugSession, target *corev1.Pod, made *corev1.PodSpec, meta *metav1.ObjectMeta) error {
	if !session.Spec.Debugger.EnvFromTarget {
		return nil
	}
	name := cmp.Or(session.Spec.Target.Container, DefaultContainer(target))
	from := findContainer(&target.Spec, name)
	if from == nil {
		return unknownContainer("spec.target.container", name, target)
	}
	if findContainer(made, name) == nil {
		return &InvalidError{
			Field: envFromTargetField,
			Message: fmt.Sprintf("the copy does not have container %q, whose environment it is: "+
				"keep it, set target.container to another, or remove envFromTarget", name),
		}
	}
	from = from.DeepCopy()
	for i := range from.Env {
		keepMetadataVariable(&from.Env[i], target, meta)
		keepResourceVariable(&from.Env[i], name)
	}
	debugger.EnvFrom = append(from.EnvFrom, debugger.EnvFrom...)
	debugger.Env = Override(from.Env, debugger.Env)
	return nil
}

// keepResourceVariable has a variable that tells of its own container's resources tell of that one's in another container, too.
func keepResourceVariable(variable *corev1.EnvVar, container string) {
	if from := variable.ValueFrom; from != nil && from.ResourceFieldRef != nil && from.ResourceFieldRef.ContainerName == "" {
		from.ResourceFieldRef.ContainerName = container
	}
}

// Override returns variables after those that are there, each in the place of one of its name: what speaks of that by $(NAME) then gets
// the other's value.
func Override(there, more []corev1.EnvVar) []corev1.EnvVar {
	for _, variable := range more {
		at := slices.IndexFunc(there, func(own corev1.EnvVar) bool { return own.Name == variable.Name })
		if at < 0 {
			there = append(there, variable)
		} else {
			there[at] = variable
		}
	}
	return there
}
