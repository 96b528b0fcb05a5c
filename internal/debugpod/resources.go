package debugpod

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	debuggerResourcesField = "spec.debugger.resources"
	copyResourcesField     = "spec.podCopy.containers"
)

// ResourceClaims is how many claims of dynamic resource allocation there are, by the name that ResourceQuotas have for it.
const ResourceClaims corev1.ResourceName = "count/resourceclaims.resource.k8s.io"

// boundResources holds the pod and its debugger to the most that the class allows. It sets the limits that are missing, and returns a
// *ForbiddenError for claims of more.
func boundResources(spec *corev1.PodSpec, session *v1alpha1.DebugSession) error {
	bounds := allowed(session).Resources
	if bounds == nil {
		return nil
	}
	if container := findContainer(spec, session.Status.Debugger.ContainerName); container != nil && !OnlyChanges(&session.Spec) {
		if err := boundDebugger(container, spec.Resources, bounds.Debugger); err != nil {
			return err
		}
	}
	field := copyResourcesField
	if session.Spec.Mode == v1alpha1.ModeNode {
		field = debuggerResourcesField
	}
	for _, name := range slices.Sorted(maps.Keys(bounds.Pod)) {
		if err := boundPod(spec, field, name, bounds.Pod[name]); err != nil {
			return err
		}
	}
	return nil
}

// boundDebugger holds the debugger's container to the most of each resource.
func boundDebugger(container *corev1.Container, whole *corev1.ResourceRequirements, bounds corev1.ResourceList) error {
	for _, name := range slices.Sorted(maps.Keys(bounds)) {
		if lacksLimit(container, name) {
			setLimit(container, name, atMost(bounds[name], whole, name))
		}
		if err := CheckBound(debuggerResourcesField, "the debugger", &container.Resources, name, bounds[name]); err != nil {
			return err
		}
	}
	return nil
}

// CheckBound returns a *ForbiddenError if requests, limits or claims ask for more of a resource than the most that the class allows.
func CheckBound(field, who string, claimed *corev1.ResourceRequirements, name corev1.ResourceName, most resource.Quantity) error {
	if name == ResourceClaims {
		return checkClaim(field, who+" has", countOf(len(claimed.Claims)), name, most)
	}
	if err := checkClaim(field, who+" requests", claimed.Requests, name, most); err != nil {
		return err
	}
	return checkClaim(field, who+" has a limit of", claimed.Limits, name, most)
}

func countOf(claims int) corev1.ResourceList {
	return corev1.ResourceList{ResourceClaims: *resource.NewQuantity(int64(claims), resource.DecimalSI)}
}

func checkClaim(field, who string, claimed corev1.ResourceList, name corev1.ResourceName, most resource.Quantity) error {
	quantity, set := claimed[name]
	if !set || quantity.Cmp(most) <= 0 {
		return nil
	}
	return &ForbiddenError{Field: field, Message: fmt.Sprintf("%s %s of %s, but at most %s is allowed: request less there, or use another class",
		who, quantity.String(), name, most.String())}
}

// boundPod holds all containers of the pod together to the most of one resource.
func boundPod(spec *corev1.PodSpec, field string, name corev1.ResourceName, most resource.Quantity) error {
	if name == ResourceClaims {
		return checkWhole("spec.resourceClaims", countOf(len(spec.ResourceClaims)), name, most)
	}
	if whole := spec.Resources; whole != nil {
		for _, claimed := range []corev1.ResourceList{whole.Requests, whole.Limits} {
			if err := checkWhole("spec.resources", claimed, name, most); err != nil {
				return err
			}
		}
		if _, limited := whole.Limits[name]; limited {
			return nil // the API server holds all containers together to it
		}
	}
	if err := shareLimit(spec, field, name, most); err != nil {
		return err
	}
	return CheckBound(field, "the pod's containers together: the pod", &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{name: claimOf(spec, requestsOf, name)},
		Limits:   corev1.ResourceList{name: claimOf(spec, limitsOf, name)},
	}, name, most)
}

// checkWhole holds what the target's pod claims as a whole to the bound. A session cannot change that.
func checkWhole(field string, claimed corev1.ResourceList, name corev1.ResourceName, most resource.Quantity) error {
	quantity, set := claimed[name]
	if !set || quantity.Cmp(most) <= 0 {
		return nil
	}
	return &ForbiddenError{Field: "spec.target", Message: fmt.Sprintf(
		"the pod itself claims %s of %s (its %s), and so would a copy, but at most %s is allowed: use mode: EphemeralContainer, or another class",
		quantity.String(), name, field, most.String())}
}

func requestsOf(c *corev1.Container) corev1.ResourceList { return c.Resources.Requests }
func limitsOf(c *corev1.Container) corev1.ResourceList   { return c.Resources.Limits }

// claimOf is what the pod claims of a resource: its containers and native sidecars together, or an init container beside the
// sidecars if that is more.
func claimOf(spec *corev1.PodSpec, listOf func(*corev1.Container) corev1.ResourceList, name corev1.ResourceName) resource.Quantity {
	var sidecars, largest resource.Quantity
	for i := range spec.InitContainers {
		claimed := listOf(&spec.InitContainers[i])[name]
		if IsSidecar(&spec.InitContainers[i]) {
			sidecars.Add(claimed)
		} else if claimed.Cmp(largest) > 0 {
			largest = claimed.DeepCopy()
		}
	}
	var running resource.Quantity
	for i := range spec.Containers {
		running.Add(listOf(&spec.Containers[i])[name])
	}
	if largest.Cmp(running) > 0 {
		running = largest
	}
	running.Add(sidecars)
	return running
}

// shareLimit has the containers that have no limit share what the others leave: without one a container takes what its node has.
func shareLimit(spec *corev1.PodSpec, field string, name corev1.ResourceName, most resource.Quantity) error {
	sidecars, alone := initContainers(spec)
	together := slices.Clone(sidecars) // and the containers: they run side by side, while each init container runs beside the sidecars
	for i := range spec.Containers {
		together = append(together, &spec.Containers[i])
	}
	if err := shareAmong(together, field, name, most.DeepCopy()); err != nil {
		return err
	}
	besideSidecars := most.DeepCopy()
	for _, sidecar := range sidecars {
		besideSidecars.Sub(sidecar.Resources.Limits[name])
	}
	for _, container := range alone {
		if !lacksLimit(container, name) {
			continue
		}
		if err := limitTo(container, field, name, besideSidecars); err != nil {
			return err
		}
	}
	return nil
}

// initContainers are a pod's sidecars, and those that run one after the other.
func initContainers(spec *corev1.PodSpec) (sidecars, alone []*corev1.Container) {
	for i := range spec.InitContainers {
		if container := &spec.InitContainers[i]; IsSidecar(container) {
			sidecars = append(sidecars, container)
		} else {
			alone = append(alone, container)
		}
	}
	return sidecars, alone
}

// shareAmong has the containers that have no limit share what the others leave of the most.
func shareAmong(containers []*corev1.Container, field string, name corev1.ResourceName, left resource.Quantity) error {
	var unlimited []*corev1.Container
	for _, container := range containers {
		if lacksLimit(container, name) {
			unlimited = append(unlimited, container)
		} else {
			left.Sub(container.Resources.Limits[name])
		}
	}
	share := divided(left, name, len(unlimited))
	for _, container := range unlimited {
		if err := limitTo(container, field, name, share); err != nil {
			return err
		}
	}
	return nil
}

func limitTo(container *corev1.Container, field string, name corev1.ResourceName, share resource.Quantity) error {
	request := container.Resources.Requests[name]
	if share.Sign() > 0 && request.Cmp(share) <= 0 {
		setLimit(container, name, share)
		return nil
	}
	has := "has no limit of " + string(name)
	if !request.IsZero() {
		has = fmt.Sprintf("requests %s of %s", request.String(), name)
	}
	if share.Sign() < 0 {
		share = resource.Quantity{}
	}
	return &ForbiddenError{Field: field, Message: fmt.Sprintf(
		"container %q %s, but the class's limit for the pod leaves %s for it: set its resources here, or use another class", container.Name, has, share.String())}
}

// divided is an equal part of what is left.
func divided(left resource.Quantity, name corev1.ResourceName, parts int) resource.Quantity {
	switch {
	case parts <= 1:
		return left
	case name == corev1.ResourceCPU:
		return *resource.NewMilliQuantity(left.MilliValue()/int64(parts), resource.DecimalSI)
	default:
		return *resource.NewQuantity(left.Value()/int64(parts), left.Format)
	}
}

// lacksLimit reports whether a container may take as much as its node has: of what is not native, it gets what it asks for.
func lacksLimit(container *corev1.Container, name corev1.ResourceName) bool {
	_, limited := container.Resources.Limits[name]
	return !limited && IsNative(name)
}

// IsNative reports whether a container without a limit of this resource may take as much of it as its node has.
func IsNative(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage
}

// setLimit limits a container. A request that is left out would become as large as the limit.
func setLimit(container *corev1.Container, name corev1.ResourceName, most resource.Quantity) {
	if container.Resources.Limits == nil {
		container.Resources.Limits = corev1.ResourceList{}
	}
	container.Resources.Limits[name] = most.DeepCopy()
	if _, requested := container.Resources.Requests[name]; requested {
		return
	}
	if container.Resources.Requests == nil {
		container.Resources.Requests = corev1.ResourceList{}
	}
	container.Resources.Requests[name] = resource.Quantity{Format: most.Format}
}

// atMost is the bound, or the whole pod's own limit if that is less: Kubernetes refuses a container's limit that is more.
func atMost(bound resource.Quantity, whole *corev1.ResourceRequirements, name corev1.ResourceName) resource.Quantity {
	if whole != nil {
		if limit, limited := whole.Limits[name]; limited && limit.Cmp(bound) < 0 {
			return limit
		}
	}
	return bound
}
